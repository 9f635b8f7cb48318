"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gencli.errors import GencliError


def write_atomically(path: Path, data: bytes, error: type[GencliError] = GencliError, option: str = "-o") -> None:
    """Write a file whole or not at all: a temporary file in the same folder, fsync, rename.

    Raises `error`, with the reason and the `option` that names the file in one line, where the folder is missing,
    closed to us or full.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as reason:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise error(
            f"{path}: cannot be written ({reason.strerror or reason}); name another place with {option}"
        ) from reason
    except BaseException:  # an interrupt: nothing half-written stays behind
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; not every system can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: Path, error: type[GencliError] = GencliError, option: str = "-o") -> None:
    """Raise `error` in one line unless a file can be made at `path`; leaves nothing behind."""
    try:
        if path.is_dir():
            raise error(f"{path}: is a folder; name a file")
        if not path.parent.is_dir():
            raise error(f"{path}: there is no folder {path.parent}; make it first, or name another with {option}")
        probe = _temporary(path)
        probe.touch()
        probe.unlink()
    except OSError as reason:
        cause = reason.strerror or reason
        raise error(f"{path}: cannot be written ({cause}); name another place with {option}") from reason


def _temporary(path: Path) -> Path:
    """Where a file is written before it takes its name: always the same, so that a killed run leaves at most one."""
    return path.with_name(f".{path.name[:240]}.tmp")
