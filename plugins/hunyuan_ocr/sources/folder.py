"""A local folder, or the prefix of an object store, as a source of invoices.

Goes through Airflow's ``ObjectStoragePath`` (``file://``, ``s3://conn@bucket/inbox``). Moving is a rename on a local
disk; object stores copy, then delete, so there a killed task may leave a file in both places: its content is known by
then, and the next settle finishes the move.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hunyuan_ocr.exceptions import ConfigurationError, SourceRefusedError, SourceUnavailableError
from hunyuan_ocr.sources.base import FetchedItem, ItemGoneError, ItemRef, Verdict, Window
from hunyuan_ocr.sources.config import FolderSourceConfig
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
    from airflow.sdk import ObjectStoragePath


class FolderSource:
    """``list_items``, ``fetch`` and ``settle`` for one folder. The external key is ``path;size;mtime``."""

    def __init__(self, config: FolderSourceConfig) -> None:
        self._config = config
        self._root: ObjectStoragePath | None = None

    @property
    def code(self) -> str:
        return self._config.code

    @property
    def _title(self) -> str:
        return f"folder source {self.code}"

    def __enter__(self) -> Self:
        from airflow.sdk import ObjectStoragePath

        path = self._config.path
        try:
            root = ObjectStoragePath(
                Path(path).absolute().as_uri() if "://" not in path else path, conn_id=self._config.conn_id
            )
        except (ValueError, ImportError) as error:
            raise ConfigurationError(
                f"{self._title}: {path} cannot be opened ({error}). Install the provider of that store, or correct "
                "path in sources.yaml."
            ) from None
        if self._config.is_local and not root.is_dir():
            raise SourceRefusedError(
                f"{self._title}: there is no folder {path} on this worker. Create it or mount it, or correct path in "
                "sources.yaml."
            )
        self._root = root
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._root = None

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
            if not self._is_same(file):
                raise ItemGoneError(f"{self._title}: {file.path} is gone or has changed since it was listed.")
            raw = self._below(file.path).read_bytes()
            if len(raw) != file.size or not self._is_same(file):
                raise ItemGoneError(f"{self._title}: {file.path} has changed while it was read.")
        return FetchedItem(ref=ref, raw=raw, is_mail=False, file_name=ref.name)

    def settle(self, external_key: str, verdict: Verdict) -> None:
        """Move or rename the file. One that is gone, or was replaced since, is left alone."""
        settle = self._config.settle
        action = settle.on_accepted if verdict is Verdict.ACCEPTED else settle.on_review
        if action.action == "leave":
            return
        file = split_key(external_key)
        with self._asking(f"{action.action} {file.path}"):
            if not self._is_same(file):
                return
            path = PurePosixPath(file.path)
            if action.action == "move":
                target = PurePosixPath(action.target.strip("/")) / path
            else:
                target = path.with_name(path.name + action.target)
            self._rename(file.path, target, file)
            if self._config.done_marker:
                marker = f"{file.path}{self._config.done_marker}"
                if self._below(marker).is_file():
                    self._rename(marker, target.with_name(target.name + self._config.done_marker), file)

    def _below(self, path: str) -> ObjectStoragePath:
        if self._root is None:
            raise RuntimeError(f"source {self.code} is not open: use it in a with statement")
        return self._root / path if path else self._root

    def _look(self, below: str = "") -> Iterator[SeenFile]:
        with self._asking(f"list {self._config.path}"):
            entries = sorted(self._below(below).iterdir(), key=lambda entry: str(entry.name))
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            with self._asking(f"look at {path}"):
                try:
                    is_folder = entry.is_dir()
                    seen = None if is_folder or not entry.is_file() else self._seen(path)
                except FileNotFoundError:
                    continue  # moved away between the listing and this look
            if is_folder and is_walked(path, self._config):
                yield from self._look(path)
            elif seen is not None:
                yield seen

    def _seen(self, path: str) -> SeenFile:
        place = self._below(path)
        status = place.stat()
        if self._config.is_local:
            return SeenFile(path, status.st_size, round(float(status.st_mtime), 6))
        # ObjectStoragePath.stat() knows the time of S3 objects only, and gives 0 for every other store.
        modified: datetime = place.fs.modified(place.path)
        moment = modified if modified.tzinfo else modified.replace(tzinfo=UTC)
        return SeenFile(path, status.st_size, round(moment.timestamp(), 6))

    def _is_same(self, file: SeenFile) -> bool:
        try:
            return self._seen(file.path) == file
        except FileNotFoundError:
            return False

    def _rename(self, path: str, target: PurePosixPath, file: SeenFile) -> None:
        self._below(str(target.parent)).mkdir(parents=True, exist_ok=True)
        for attempt in range(MAX_NAMES):
            free = self._below(str(target.with_name(free_name(target.name, file, attempt))))
            if not free.exists():
                break
        else:
            raise SourceRefusedError(f"{self._title}: {target.parent} holds {MAX_NAMES} files called {target.name}.")
        if self._config.is_local:
            Path(self._below(path).path).rename(free.path)
        else:
            self._below(path).move(free)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            reason = "permission denied" if isinstance(error, PermissionError) else "it does not exist"
            raise SourceRefusedError(
                f"{self._title}: cannot {what}: {reason}. Correct path of the source in sources.yaml, or give the user "
                "the tasks run as access to it."
            ) from None
        except OSError as error:
            raise SourceUnavailableError(
                f"{self._title}: cannot {what} ({type(error).__name__}). A retry may help."
            ) from error
