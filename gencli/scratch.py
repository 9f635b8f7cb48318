"""A nameless temporary file for what is too large for memory: it is gone with the process, however that ends."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gencli.errors import GencliError

LASTING: Final = "/var/tmp"  # /tmp may lie in memory, and then nothing would be gained


def scratch_folder() -> Path:
    """Where large temporary files lie: in the folder that TMPDIR names, else in /var/tmp, else the system's own."""
    named = os.environ.get("TMPDIR")
    if named:
        return Path(named)
    return Path(LASTING if os.access(LASTING, os.W_OK | os.X_OK) else tempfile.gettempdir())


class Scratch:
    """Bytes on disk, written at the end and read anywhere. GencliError, in one line, where the disk is full or closed.

    The file has no name from its beginning (on Windows until it is closed), so nothing is ever left behind.
    """

    def __init__(self) -> None:
        self.folder, self.size = scratch_folder(), 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115 - closed with the object
        except OSError as error:
            raise self._refused(error) from error
        weakref.finalize(self, self._file.close)

    def write(self, data: bytes | NDArray[Any]) -> None:
        """Add to the end."""
        view = memoryview(np.ascontiguousarray(data).data if isinstance(data, np.ndarray) else data).cast("B")
        try:
            self._file.seek(self.size)
            while len(view):
                written = self._file.write(view)
                self.size += written
                view = view[written:]
        except OSError as error:
            raise self._refused(error) from error

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from begin to end, fewer where the file ends before."""
        try:
            self._file.seek(begin)
            return self._file.read(max(min(end, self.size) - begin, 0))
        except OSError as error:
            raise self._refused(error) from error

    def cut(self, size: int) -> None:
        """Forget what stands after the first `size` bytes."""
        self.size = min(self.size, size)

    def mapped(self, dtype: DTypeLike) -> NDArray[Any]:
        """All of it as an array (N,) that lies on disk, to be read only; nothing may be written after."""
        count = self.size // np.dtype(dtype).itemsize
        if count == 0:
            return np.empty(0, dtype)
        try:
            return np.asarray(np.memmap(self._file, dtype, "r", shape=(count,)))
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> GencliError:
        """The one-line report of a refusal by the system."""
        held = f" after {self.size / 1e6:,.0f} MB" if self.size else ""
        return GencliError(
            f"{self.folder}: temporary files of a large corpus cannot be kept there{held} "
            f"({error.strerror or error}); make room, or name another folder in TMPDIR"
        )
