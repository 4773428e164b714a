"""A folder of an SFTP server as a source of invoices, on the SFTP provider's hook.

Host keys are always checked, unless the connection says in so many words that they need not be. Times come straight
from the server's attributes (the hook's own helpers pass through the machine's local time). Files are only ever
renamed on the server, never deleted or overwritten.
"""

from __future__ import annotations

import logging
import posixpath
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hunyuan_ocr.exceptions import ConfigurationError, SourceRefusedError, SourceUnavailableError
from hunyuan_ocr.sources.base import FetchedItem, ItemGoneError, ItemRef, Verdict, Window
from hunyuan_ocr.sources.config import SftpSourceConfig
from hunyuan_ocr.sources.files import (
    MAX_NAMES,
    SeenFile,
    candidates,
    free_name,
    is_walked,
    split_key,
    stable_items,
)

if TYPE_CHECKING:
    from airflow.providers.sftp.hooks.sftp import SFTPHook

log = logging.getLogger(__name__)

_SSH_PORT = 22


class SftpSource:
    """``list_items``, ``fetch`` and ``settle`` for one folder. The external key is ``path;size;mtime``."""

    def __init__(self, config: SftpSourceConfig) -> None:
        self._config = config
        self._session: AbstractContextManager[Any] | None = None
        self._client: Any = None

    @property
    def code(self) -> str:
        return self._config.code

    @property
    def _title(self) -> str:
        return f"sftp source {self.code} (connection {self._config.conn_id})"

    def __enter__(self) -> Self:
        hook = self._hook()
        self._refuse_unchecked_host(hook)
        with self._connecting():
            session = hook.get_managed_conn()
            self._client = session.__enter__()
            self._session = session
            channel = self._client.get_channel()
            if channel is not None:
                channel.settimeout(hook.conn_timeout or 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session, self._client = self._session, None, None
        if session is not None:
            session.__exit__(None, None, None)

    def list_items(self, window: Window) -> Iterator[ItemRef]:
        """The finished files with a modification time within ``window``, oldest first.

        Waits ``stable_seconds`` once for the whole folder, and only when there is something to wait for.
        """
        first = candidates(self._look(), self._config, window, datetime.now(UTC))
        if not first:
            return
        time.sleep(self._config.stable_seconds)
        yield from stable_items(first, self._look(), self.code)

    def fetch(self, ref: ItemRef) -> FetchedItem:
        """The file's bytes, provided it is still the one that was listed."""
        file = split_key(ref.external_key)
        with self._asking(f"read {file.path}"):
            path = self._find(file)
            if path is None:
                raise ItemGoneError(f"{self._title}: {file.path} is gone or has changed since it was listed.")
            with self._client.open(path, "rb") as stream:
                stream.prefetch(file.size)
                raw: bytes = stream.read()
            if len(raw) != file.size or self._find(file) is None:
                raise ItemGoneError(f"{self._title}: {file.path} has changed while it was read.")
        return FetchedItem(ref=ref, raw=raw, is_mail=False, file_name=ref.name)

    def settle(self, external_key: str, verdict: Verdict) -> None:
        """Rename the file to where its verdict belongs. One that is gone, or was replaced since, is left alone."""
        settle = self._config.settle
        action = settle.on_accepted if verdict is Verdict.ACCEPTED else settle.on_review
        if action.action == "leave":
            return
        file = split_key(external_key)
        with self._asking(f"{action.action} {file.path}"):
            path = self._find(file)
            if path is None:
                return
            folder, name = posixpath.split(file.path)
            if action.action == "move":
                folder = posixpath.join(action.target.strip("/"), folder)
                self._make_folders(folder)
            else:
                name += action.target
            self._rename(path, folder, name, file)
            if self._config.done_marker:
                marker = SeenFile(f"{file.path}{self._config.done_marker}", 0, file.mtime)
                for spelling in _spellings(self._absolute(marker.path)):
                    if self._stat(spelling) is not None:
                        self._rename(spelling, folder, f"{name}{self._config.done_marker}", marker)
                        break

    # -- what the server is asked -------------------------------------------------------------------------------

    def _absolute(self, path: str) -> str:
        return posixpath.join(self._config.path, path)

    def _look(self, below: str = "") -> Iterator[SeenFile]:
        with self._asking(f"list folder {posixpath.join(self._config.path, below)}"):
            entries = sorted(self._entries(self._absolute(below)), key=lambda entry: entry[0])
        for name, attributes in entries:
            path, mode = posixpath.join(below, name), attributes.st_mode or 0
            if stat.S_ISDIR(mode):
                if is_walked(path, self._config):
                    yield from self._look(path)
            elif stat.S_ISREG(mode) and attributes.st_size is not None and attributes.st_mtime is not None:
                yield SeenFile(path, attributes.st_size, attributes.st_mtime)

    def _entries(self, folder: str) -> list[tuple[str, Any]]:
        for spelling in _spellings(folder):
            if self._stat(spelling) is not None:
                break
        try:
            return [(entry.filename, entry) for entry in self._client.listdir_attr(spelling)]
        except UnicodeDecodeError:
            # paramiko gives up on the whole folder when one name is not UTF-8, as on Chinese servers that speak GBK.
            return list(_entries_in_any_charset(self._client, spelling))

    def _find(self, file: SeenFile) -> bytes | None:
        """The server's spelling of the path, if the file there is still the one that was listed."""
        for spelling in _spellings(self._absolute(file.path)):
            attributes = self._stat(spelling)
            if attributes is not None and (attributes.st_size, attributes.st_mtime) == (file.size, file.mtime):
                return spelling
        return None

    def _stat(self, path: bytes) -> Any:
        try:
            return self._client.stat(path)
        except FileNotFoundError:
            return None

    def _make_folders(self, folder: str) -> None:
        path = self._config.path
        for step in folder.split("/"):
            path = posixpath.join(path, step)
            if step and self._stat(path.encode()) is None:
                try:
                    self._client.mkdir(path)
                except OSError:
                    if self._stat(path.encode()) is None:  # another task may have made it a moment ago
                        raise

    def _rename(self, path: bytes, folder: str, name: str, file: SeenFile) -> None:
        for attempt in range(MAX_NAMES):
            target = self._absolute(posixpath.join(folder, free_name(name, file, attempt))).encode()
            if self._stat(target) is None:
                break
        else:
            raise SourceRefusedError(f"{self._title}: {folder} holds {MAX_NAMES} files called {name}. Clean it up.")
        try:
            self._client.posix_rename(path, target)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, PermissionError)):
                raise
            # Servers without the OpenSSH extension: SFTP's own rename, which refuses to overwrite.
            self._client.rename(path, target)

    # -- who can act on what goes wrong -------------------------------------------------------------------------

    def _hook(self) -> SFTPHook:
        from airflow.providers.sftp.hooks.sftp import SFTPHook
        from airflow.sdk.exceptions import AirflowException
        from paramiko import SSHException

        try:
            # One attempt: the hook would also repeat a wrong password, and lock the account; Airflow retries the task.
            hook = SFTPHook(ssh_conn_id=self._config.conn_id, conn_retry_attempts=1)
        except (AirflowException, ValueError, SSHException) as error:
            raise ConfigurationError(f"{self._title}: the connection cannot be used: {error}") from None
        if hook.key_file and not Path(hook.key_file).expanduser().is_file():
            raise ConfigurationError(
                f"{self._title}: there is no key_file {hook.key_file} on this worker. Put it there, or paste the key "
                "into the connection as private_key."
            )
        return hook

    def _refuse_unchecked_host(self, hook: SFTPHook) -> None:
        if hook.no_host_key_check:
            return
        name = hook.remote_host if hook.port == _SSH_PORT else f"[{hook.remote_host}]:{hook.port}"
        if hook.allow_host_key_change:
            raise ConfigurationError(
                f"{self._title}: allow_host_key_change accepts whatever server answers. Remove it and set host_key in "
                "the connection, or set no_host_key_check=true as well if you really want no check."
            )
        if hook.host_key is None and not _is_known_host(name):
            raise ConfigurationError(
                f"{self._title}: no way to know that {name} is the right server: the connection has no host_key and "
                f"the worker's known_hosts has no entry. Get the key with 'ssh-keyscan -p {hook.port} "
                f"{hook.remote_host}', compare it with its owner, and set it as host_key (or no_host_key_check=true)."
            )

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        import paramiko

        try:
            yield
        except paramiko.BadHostKeyException as error:
            raise SourceRefusedError(
                f"{self._title}: the server showed another host key ({error.key.get_name()}, {error.key.fingerprint}) "
                "than the one we know. Ask its owner whether it was changed before you change host_key."
            ) from None
        except paramiko.AuthenticationException:
            raise self._login_refused() from None
        except paramiko.SSHException as error:
            if "authentication methods" in str(error):
                raise self._login_refused() from None
            if "known_hosts" in str(error):
                raise SourceRefusedError(
                    f"{self._title}: the server has no host key of the kind we know. Add its key as host_key."
                ) from None
            raise self._unavailable(error) from error
        except (OSError, EOFError) as error:
            raise self._unavailable(error) from error

    def _login_refused(self) -> SourceRefusedError:
        return SourceRefusedError(
            f"{self._title}: login refused. Check the user name and the password or key of connection "
            f"{self._config.conn_id}, and whether the server allows that kind of login."
        )

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"{self._title}: no answer, or the connection broke ({type(error).__name__}). A retry may help; if it does "
            "not, check host, port and firewall."
        )

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        import paramiko

        if self._client is None:
            raise RuntimeError(f"source {self.code} is not open: use it in a with statement")
        try:
            yield
        except (FileNotFoundError, PermissionError) as error:
            reason = "it does not exist" if isinstance(error, FileNotFoundError) else "permission denied"
            raise SourceRefusedError(
                f"{self._title}: cannot {what}: {reason}. Correct path of the source in sources.yaml, or give the "
                "login access to it."
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._unavailable(error) from error


def _is_known_host(name: str) -> bool:
    import paramiko

    known_hosts = Path("~/.ssh/known_hosts").expanduser()
    if not known_hosts.is_file():
        return False
    keys = paramiko.HostKeys()
    keys.load(str(known_hosts))
    return keys.lookup(name) is not None


def _spellings(path: str) -> list[bytes]:
    """How a server may spell a path: UTF-8, or GB18030 for the last step or for all of it."""
    folder, name = posixpath.split(path)
    spellings = (
        path.encode(),
        posixpath.join(folder.encode(), name.encode("gb18030")),
        path.encode("gb18030"),
    )
    return list(dict.fromkeys(spellings))


def _entries_in_any_charset(client: Any, folder: bytes) -> Iterator[tuple[str, Any]]:
    from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR
    from paramiko.sftp_attr import SFTPAttributes

    kind, message = client._request(CMD_OPENDIR, folder)
    if kind != CMD_HANDLE:
        raise OSError("the server gave no handle for the folder")
    handle = message.get_binary()
    while True:
        try:
            kind, message = client._request(CMD_READDIR, handle)
        except EOFError:
            break
        if kind != CMD_NAME:
            raise OSError("the server gave no names for the folder")
        for _ in range(message.get_int()):
            raw_name, _long_name = message.get_binary(), message.get_binary()
            attributes = SFTPAttributes._from_msg(message)
            name = _name_of(raw_name)
            if name is None:
                log.warning("a file is not collected: its name is neither UTF-8 nor GB18030. Rename it.")
            elif name not in {".", ".."}:
                yield name, attributes
    client._request(CMD_CLOSE, handle)


def _name_of(raw: bytes) -> str | None:
    for charset in ("utf-8", "gb18030"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    return None
