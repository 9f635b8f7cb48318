"""`--metrics FILE`: the records of training as lines of JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from gencli.errors import OptionError

if TYPE_CHECKING:
    from gencli.progress import Step


def json_line(record: dict[str, Any]) -> str:
    """A record as one line of valid JSON: numbers that are not finite become null."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }
    return json.dumps(finite, ensure_ascii=False, allow_nan=False)


class Metrics:
    """An open file of records, a context manager; without a path nothing is written. Raises OptionError."""

    def __init__(self, path: Path | None, append: bool) -> None:
        self.path = path
        self.append = append
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self.path is not None:
            try:
                self._file = self.path.open("a" if self.append else "w", encoding="utf-8")
            except OSError as error:
                raise self._fault(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as fault:
                raise self._fault(fault) from error

    def write(self, step: Step) -> None:
        """Add one record, at once; what a record lacks is left out of it."""
        if self._file is None:
            return
        record = {name: value for name, value in asdict(step).items() if value is not None and value != ()}
        try:
            self._file.write(json_line(record) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> OptionError:
        return OptionError(f"--metrics {self.path}: cannot be written ({error.strerror}); name another file")
