"""Builds each source of ``sources.yaml`` from its Airflow connection. Connects to nothing: ``with source`` does."""

from __future__ import annotations

from collections.abc import Sequence

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.settings import Settings
from hunyuan_ocr.sources.base import Source
from hunyuan_ocr.sources.config import FolderSourceConfig, MailboxSourceConfig, SftpSourceConfig, load_sources


def configured_sources(
    codes: Sequence[str] = (), settings: Settings | None = None
) -> tuple[MailboxSourceConfig | SftpSourceConfig | FolderSourceConfig, ...]:
    """The declared sources of these codes, or all enabled ones when none are named.

    :raises ConfigurationError: when the file cannot be used, or a code is not in it.
    """
    path = (settings or Settings.load()).sources_file
    declared = {config.code: config for config in load_sources(path)}
    unknown = [code for code in codes if code not in declared]
    if unknown:
        raise ConfigurationError(f"{path} declares no source {', '.join(unknown)}; it has {', '.join(declared)}.")
    if codes:
        return tuple(declared[code] for code in dict.fromkeys(codes))
    return tuple(config for config in declared.values() if config.enabled)


def open_source(config: MailboxSourceConfig | SftpSourceConfig | FolderSourceConfig) -> Source:
    """The source a configuration describes, to be used in a ``with`` statement.

    Raises ``ConfigurationError`` when the mailbox's connection lacks something; SFTP connections are checked on entry.
    """
    match config:
        case MailboxSourceConfig():
            from hunyuan_ocr.hooks.mailbox import MailboxHook
            from hunyuan_ocr.sources.mailbox import MailboxSource

            return MailboxSource(config, MailboxHook(config.conn_id).settings())
        case SftpSourceConfig():
            from hunyuan_ocr.sources.sftp import SftpSource

            return SftpSource(config)
        case FolderSourceConfig():
            from hunyuan_ocr.sources.folder import FolderSource

            return FolderSource(config)
