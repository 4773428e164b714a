"""``sources.yaml``: which mailboxes, servers and folders invoices come from, checked before anything connects.

It holds no secrets (those live in Airflow connections) and opens nothing. A mistake in the file is reported with the
file, the source, the key and what to write instead; an unknown key is refused, because a misspelt filter that is
silently ignored would let the wrong documents in.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from hunyuan_ocr.exceptions import ConfigurationError

CODE_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Glob = Annotated[str, Field(min_length=1)]


def matches_any(text: str, globs: tuple[str, ...]) -> bool:
    """Whether ``text`` matches one of the shell-style patterns, ignoring case."""
    folded = text.casefold()
    return any(fnmatchcase(folded, glob.casefold()) for glob in globs)


class FileNameFilter(_Strict):
    """Globs on file names (of attachments, for a mailbox), ignoring case. No ``include`` means every name."""

    include: tuple[Glob, ...] = ()
    exclude: tuple[Glob, ...] = ()

    def accepts(self, file_name: str) -> bool:
        """Whether a file of this name may be an invoice. Only the last part of a path is looked at."""
        name = PurePosixPath(file_name).name
        return (not self.include or matches_any(name, self.include)) and not matches_any(name, self.exclude)


class FileFilters(_Strict):
    """What a file must look like to be collected. ``max_age_days`` counts back from the end of the run's window."""

    file_names: FileNameFilter = FileNameFilter()
    max_age_days: float | None = Field(default=None, gt=0)
    min_size: int = Field(default=0, ge=0, description="bytes; smaller items are not collected")


class MailFilters(FileFilters):
    """Globs on decoded header values; a mail is collected when each given list has a match."""

    from_: tuple[Glob, ...] = Field(default=(), alias="from")
    to: tuple[Glob, ...] = ()
    subject: tuple[Glob, ...] = ()

    @property
    def looks_at_headers(self) -> bool:
        return bool(self.from_ or self.to or self.subject)


class MailSettleAction(_Strict):
    """``move`` to a folder, ``flag`` with an IMAP keyword, or ``leave``. ``target`` names the folder or keyword."""

    action: Literal["move", "flag", "leave"]
    target: str = ""

    @model_validator(mode="after")
    def _keyword_is_an_atom(self) -> Self:
        # RFC 3501 section 9: a flag keyword is an atom; a space or bracket would be read as the end of the command.
        if self.action == "flag" and any(not 33 <= ord(char) <= 126 or char in '(){%*"]\\' for char in self.target):
            raise ValueError(f"{self.target!r} is not an IMAP keyword: use letters, digits, '_', '-' or '$' only")
        return self


class FileSettleAction(_Strict):
    """``move`` into a folder below the source's own, ``rename`` by adding a suffix, or ``leave`` as it is."""

    action: Literal["move", "rename", "leave"]
    target: str = ""

    @model_validator(mode="after")
    def _target_stays_below(self) -> Self:
        parts = PurePosixPath(self.target).parts
        if self.action == "move" and (self.target.startswith("/") or ".." in parts):
            raise ValueError(
                f"{self.target!r} leads out of the source's folder: name a folder below it, like 'processed'"
            )
        if self.action == "rename" and "/" in self.target:
            raise ValueError(f"{self.target!r} is not a suffix: write something like '.processed'")
        return self


def _expand(value: object, targets: dict[str, str]) -> object:
    """``move`` stands for ``{action: move, target: <the usual one>}``."""
    if isinstance(value, str):
        value = {"action": value}
    if isinstance(value, dict) and not value.get("target") and value.get("action") in targets:
        return {**value, "target": targets[value["action"]]}
    return value


class MailSettle(_Strict):
    """What to do with a mail once its invoices are settled. By default a keyword is set; the mail stays unread."""

    on_accepted: MailSettleAction = MailSettleAction(action="flag", target="HunyuanAccepted")
    on_review: MailSettleAction = MailSettleAction(action="flag", target="HunyuanReview")

    @field_validator("on_accepted", mode="before")
    @classmethod
    def _accepted(cls, value: object) -> object:
        return _expand(value, {"move": "HunyuanAccepted", "flag": "HunyuanAccepted"})

    @field_validator("on_review", mode="before")
    @classmethod
    def _review(cls, value: object) -> object:
        return _expand(value, {"move": "HunyuanReview", "flag": "HunyuanReview"})


class FileSettle(_Strict):
    """What to do with a file once its invoices are settled. By default it is moved below the source's folder."""

    on_accepted: FileSettleAction = FileSettleAction(action="move", target="processed")
    on_review: FileSettleAction = FileSettleAction(action="move", target="review")

    @field_validator("on_accepted", mode="before")
    @classmethod
    def _accepted(cls, value: object) -> object:
        return _expand(value, {"move": "processed", "rename": ".processed"})

    @field_validator("on_review", mode="before")
    @classmethod
    def _review(cls, value: object) -> object:
        return _expand(value, {"move": "review", "rename": ".review"})

    def folders(self) -> tuple[str, ...]:
        """The folders settled files go to: never listed again."""
        return tuple(act.target.strip("/") for act in (self.on_accepted, self.on_review) if act.action == "move")

    def suffixes(self) -> tuple[str, ...]:
        """The suffixes settled files carry: never listed again."""
        return tuple(act.target for act in (self.on_accepted, self.on_review) if act.action == "rename")


class _SourceConfig(_Strict):
    code: str = Field(pattern=CODE_PATTERN)
    enabled: bool = True
    prompt_profile: str | None = Field(default=None, min_length=1, description="default: found from the page")
    legal_entity: str | None = Field(default=None, min_length=1, max_length=50, description="ERP company code")


class _FileSourceConfig(_SourceConfig):
    path: str = Field(min_length=1)
    recursive: bool = False
    filters: FileFilters = FileFilters()
    settle: FileSettle = FileSettle()
    stable_seconds: float = Field(default=2.0, ge=0, le=300, description="size and time must not change for so long")
    done_marker: str | None = Field(
        default=None, pattern=r"^\.[^/]+$", description="collect a file only beside a marker: invoice.pdf.done"
    )


class MailboxSourceConfig(_SourceConfig):
    """A folder of a mailbox, read over IMAP."""

    kind: Literal["mailbox"]
    conn_id: str = Field(min_length=1)
    folder: str = Field(default="INBOX", min_length=1)
    filters: MailFilters = MailFilters()
    settle: MailSettle = MailSettle()

    @model_validator(mode="after")
    def _moves_somewhere_else(self) -> Self:
        for key, act in (("on_accepted", self.settle.on_accepted), ("on_review", self.settle.on_review)):
            if act.action == "move" and act.target == self.folder:
                raise ValueError(f"settle.{key} moves mails into {self.folder!r}, where they are: name another folder")
        return self


class SftpSourceConfig(_FileSourceConfig):
    """A folder of an SFTP server. A relative ``path`` starts at the login's home folder."""

    kind: Literal["sftp"]
    conn_id: str = Field(min_length=1)


class FolderSourceConfig(_FileSourceConfig):
    """A local folder or the prefix of an object store (``s3://conn@bucket/inbox``)."""

    kind: Literal["folder"]
    conn_id: str | None = Field(default=None, min_length=1)

    @property
    def is_local(self) -> bool:
        return urlsplit(self.path).scheme in ("", "file")


SourceConfig = Annotated[MailboxSourceConfig | SftpSourceConfig | FolderSourceConfig, Field(discriminator="kind")]
_SOURCE: TypeAdapter[MailboxSourceConfig | SftpSourceConfig | FolderSourceConfig] = TypeAdapter(SourceConfig)

_KINDS = "mailbox, sftp or folder"


def load_sources(path: Path) -> tuple[MailboxSourceConfig | SftpSourceConfig | FolderSourceConfig, ...]:
    """The sources of a YAML file, in its order, disabled ones included.

    A relative path of a ``folder`` source starts at the file's own folder. Raises ``ConfigurationError``.
    """
    listed = _sources_list(path)
    sources: list[MailboxSourceConfig | SftpSourceConfig | FolderSourceConfig] = []
    codes: dict[str, int] = {}
    for number, entry in enumerate(listed, start=1):
        label = _label(entry, number)
        try:
            source = _SOURCE.validate_python(entry)
        except ValidationError as error:
            raise ConfigurationError(_explain(path, label, error)) from None
        if source.code in codes:
            raise ConfigurationError(
                f"{path}: {label}: key code: the code is already used by source no. {codes[source.code]}. "
                "Give every source its own code: documents are filed under it."
            )
        codes[source.code] = number
        if isinstance(source, FolderSourceConfig) and not urlsplit(source.path).scheme:
            source = source.model_copy(update={"path": str((path.parent / source.path).resolve())})
        sources.append(source)
    return tuple(sources)


def _sources_list(path: Path) -> list[Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML keeps the last of two equal keys; a setting that vanishes silently is refused here."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", node.start_mark)
            return super().construct_mapping(node, deep)

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: there is no such file. Create it, or point [hunyuan_ocr] sources_file to yours."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({type(error).__name__}). It must be UTF-8 text.") from None
    try:
        content = yaml.load(text, Loader=Loader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict) or set(content) != {"sources"} or not isinstance(content["sources"], list):
        raise ConfigurationError(f"{path}: the file must hold one key 'sources' with a list: start it with 'sources:'.")
    if not content["sources"]:
        raise ConfigurationError(
            f"{path}: key sources: the list is empty. Name at least one mailbox, server or folder."
        )
    return content["sources"]


def _label(entry: object, number: int) -> str:
    code = entry.get("code") if isinstance(entry, dict) else None
    return f"source {code!r} (no. {number})" if isinstance(code, str) else f"source no. {number}"


def _explain(path: Path, label: str, error: ValidationError) -> str:
    complaints = []
    for detail in error.errors(include_url=False):
        # The first step of a location inside a tagged union is the tag, which is not a key of the file.
        steps = [str(step) for step in detail["loc"]]
        if steps and steps[0] in ("mailbox", "sftp", "folder"):
            steps = steps[1:]
        key = ".".join(steps) or "the entry"
        complaints.append(f"{path}: {label}: key {key}: {_remedy(detail['type'], detail['msg'], detail.get('input'))}")
    return "\n".join(complaints)


def _remedy(kind: str, message: str, given: object) -> str:
    match kind:
        case "extra_forbidden":
            return "this source has no such key. Check the spelling, or remove it."
        case "missing":
            return "it is missing. Add it."
        case "union_tag_not_found":
            return f"key kind is missing. Write kind: {_KINDS}."
        case "union_tag_invalid":
            return f"key kind is not known. Write kind: {_KINDS}."
        case "string_pattern_mismatch":
            return (
                f"{given!r} does not fit. A code is a-z, 0-9 and '_', starts with a letter, at most 40 characters; "
                "a done_marker starts with a dot."
            )
        case "value_error":
            return message.removeprefix("Value error, ") + "."
        case _:
            return f"{message} (given: {given!r})."
