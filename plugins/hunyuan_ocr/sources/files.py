"""Which files of a folder are finished and wanted: the rules SFTP servers, local folders and object stores share.

Pure decisions on what a listing showed. A file still being written is left for a later run, never read in part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from hunyuan_ocr.sources.base import ItemRef, Window, as_utc, is_too_old
from hunyuan_ocr.sources.config import FolderSourceConfig, SftpSourceConfig

FileConfig = SftpSourceConfig | FolderSourceConfig

# What upload tools call a file until it is whole (rsync and others hide it with a dot instead).
_UNFINISHED = (".part", ".tmp", ".temp", ".filepart", ".crdownload", ".partial", ".uploading")


MAX_NAMES = 1000
"""How many files of one name a folder of settled files may hold before somebody is asked to clean it up."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A regular file as one look at the folder showed it: path below the source's folder, bytes, POSIX seconds."""

    path: str
    size: int
    mtime: float

    @property
    def external_key(self) -> str:
        """``path;size;mtime``: a file replaced by another one of the same name is another item."""
        return f"{self.path};{self.size};{self.mtime:.6f}".removesuffix(".000000")


def split_key(external_key: str) -> SeenFile:
    """The file an external key names."""
    path, size, mtime = external_key.rsplit(";", 2)
    return SeenFile(path, int(size), float(mtime))


def candidates(seen: Iterable[SeenFile], config: FileConfig, window: Window, now: datetime) -> list[SeenFile]:
    """The files of a first look that are worth a second one, oldest first."""
    files = list(seen)
    paths = {file.path for file in files}
    wanted = [file for file in files if _is_wanted(file, paths, config, window, now)]
    return sorted(wanted, key=lambda file: (file.mtime, file.path))


def stable_items(first: Iterable[SeenFile], second: Iterable[SeenFile], source_code: str) -> Iterator[ItemRef]:
    """The files that both looks showed with the same size and time."""
    unchanged = set(second)
    for file in first:
        if file in unchanged:
            name = PurePosixPath(file.path).name
            yield ItemRef(source_code, file.external_key, as_utc(file.mtime), file.size, name)


def is_hidden(name: str, config: FileConfig) -> bool:
    """Whether a listing passes over a file or folder because of its name: hidden, unfinished, or settled already."""
    lowered = name.lower()
    return (
        name.startswith((".", "~$"))
        or lowered.endswith(_UNFINISHED)
        or any(name.endswith(suffix) for suffix in config.settle.suffixes())
    )


def is_walked(path: str, config: FileConfig) -> bool:
    """Whether a listing goes into a folder (path below the source's own); never where settled files are moved to."""
    return config.recursive and not is_hidden(PurePosixPath(path).name, config) and path not in config.settle.folders()


def _is_wanted(file: SeenFile, paths: set[str], config: FileConfig, window: Window, now: datetime) -> bool:
    name = PurePosixPath(file.path).name
    if config.done_marker and (name.endswith(config.done_marker) or f"{file.path}{config.done_marker}" not in paths):
        return False
    received_at, filters = as_utc(file.mtime), config.filters
    return (
        not is_hidden(name, config)
        and received_at in window
        # A time still to come is a file being written by a machine whose clock is ahead: its own day will list it.
        and received_at <= now
        and file.size >= filters.min_size
        and not is_too_old(received_at, window, filters.max_age_days)
        and filters.file_names.accepts(name)
    )


def free_name(name: str, file: SeenFile, attempt: int) -> str:
    """The name of a settled file: its own, or told apart by its time (and a number) when that is taken."""
    if attempt == 0:
        return name
    path = PurePosixPath(name)
    return f"{path.stem}-{int(file.mtime)}{f'-{attempt}' if attempt > 1 else ''}{path.suffix}"
