"""A mistake in sources.yaml is named with file, source, key and remedy, before anything connects."""

from __future__ import annotations

from pathlib import Path

import pytest

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.sources.config import FolderSourceConfig, MailboxSourceConfig, SftpSourceConfig, load_sources

GOOD = """
sources:
  - code: ap_mailbox
    kind: mailbox
    conn_id: invoice_mailbox
    filters: {from: ["*@supplier.example"], file_names: {exclude: ["terms*"]}}
    settle: {on_accepted: move, on_review: {action: flag, target: NeedsALook}}
    legal_entity: "1000"
  - code: supplier_sftp
    kind: sftp
    conn_id: invoice_sftp
    path: /upload
    settle: {on_accepted: {action: move, target: done}, on_review: rename}
    enabled: false
  - code: drop
    kind: folder
    path: inbox
    prompt_profile: receipt
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_three_kinds_of_sources_with_their_defaults(tmp_path):
    mailbox, sftp, folder = load_sources(write(tmp_path, GOOD))
    assert isinstance(mailbox, MailboxSourceConfig)
    assert (mailbox.folder, mailbox.filters.from_) == ("INBOX", ("*@supplier.example",))
    assert (mailbox.settle.on_accepted.target, mailbox.settle.on_review.target) == ("HunyuanAccepted", "NeedsALook")
    assert not mailbox.filters.file_names.accepts("Terms and conditions.pdf")
    assert isinstance(sftp, SftpSourceConfig)
    assert (sftp.enabled, sftp.settle.folders(), sftp.settle.suffixes()) == (False, ("done",), (".review",))
    assert isinstance(folder, FolderSourceConfig)
    assert folder.path == str(tmp_path / "inbox"), "a relative folder starts at the file's own"
    assert folder.settle.folders() == ("processed", "review")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("folder: ", "foldr: "), "source 'ap' (no. 1): key foldr: this source has no such key. Check the spelling"),
        (("code: ap", "code: AP"), "key code: 'AP' does not fit. A code is a-z"),
        (("    conn_id: box\n", ""), "source 'ap' (no. 1): key conn_id: it is missing. Add it."),
        (("kind: mailbox", "kind: imap"), "key kind is not known. Write kind: mailbox, sftp or folder."),
        (("    kind: mailbox\n", ""), "key kind is missing. Write kind: mailbox, sftp or folder."),
        (("action: move", "action: rename"), "settle.on_accepted.action: Input should be 'move', 'flag' or 'leave'"),
        (("target: Done", "target: INBOX"), "moves mails into 'INBOX', where they are: name another folder."),
        (("action: move, target: Done", "action: flag, target: my flag"), "'my flag' is not an IMAP keyword"),
        (("max_age_days: 3", "max_age_days: 0"), "filters.max_age_days: Input should be greater than 0 (given: 0)."),
        (("    conn_id: box\n", "    conn_id: box\n    conn_id: two\n"), "key 'conn_id' is given twice"),
        (("sources:", "source:"), "the file must hold one key 'sources' with a list"),
        (("- code: ap", "- code: ap\n   kind: x"), "not valid YAML"),
    ],
)  # fmt: skip
def test_every_mistake_names_the_file_the_source_the_key_and_the_remedy(tmp_path, change, complaint):
    text = (
        "sources:\n  - code: ap\n    kind: mailbox\n    conn_id: box\n    folder: INBOX\n"
        "    filters: {max_age_days: 3}\n    settle: {on_accepted: {action: move, target: Done}}\n"
    )
    load_sources(write(tmp_path, text))
    assert change[0] in text
    path = write(tmp_path, text.replace(*change))
    with pytest.raises(ConfigurationError) as refusal:
        load_sources(path)
    assert str(refusal.value).startswith(str(path))
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(
    ("settle", "complaint"),
    [
        ("{action: move, target: ../elsewhere}", "leads out of the source's folder"),
        ("{action: move, target: /srv}", "leads out of the source's folder"),
        ("{action: rename, target: a/b}", "is not a suffix"),
        ("flag", "Input should be 'move', 'rename' or 'leave'"),
    ],
)
def test_files_are_settled_below_their_folder_only(tmp_path, settle, complaint):
    text = f"sources:\n  - {{code: s, kind: folder, path: /in, settle: {{on_review: {settle}}}}}\n"
    with pytest.raises(ConfigurationError, match=complaint):
        load_sources(write(tmp_path, text))


def test_two_sources_cannot_share_a_code(tmp_path):
    text = "sources:\n  - {code: s, kind: folder, path: /a}\n  - {code: s, kind: folder, path: /b}\n"
    with pytest.raises(ConfigurationError, match=r"source 's' \(no\. 2\): key code: .* already used by source no\. 1"):
        load_sources(write(tmp_path, text))


def test_all_mistakes_of_a_source_are_told_at_once(tmp_path):
    text = "sources:\n  - {code: s, kind: sftp, foo: 1, bar: 2}\n"
    with pytest.raises(ConfigurationError) as refusal:
        load_sources(write(tmp_path, text))
    assert len(str(refusal.value).splitlines()) == 4  # foo, bar, conn_id, path


def test_a_missing_or_empty_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no such file. Create it, or point .* sources_file"):
        load_sources(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigurationError, match=r"list is empty"):
        load_sources(write(tmp_path, "sources: []\n"))
