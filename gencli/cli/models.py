"""Opening the model that a command line names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from gencli.config import Precision
from gencli.errors import ModelFileError
from gencli.model import Model, load

SUFFIX = ".safetensors"


def open_model(path: Path, threads: int | None = None, precision: Literal["auto"] | Precision = "float32") -> Model:
    """The model in a file, ready to use; ModelFileError, which guesses at a name without its suffix."""
    meant = path.with_name(path.name + SUFFIX) if path.name else path
    if not path.exists() and meant.is_file():
        raise ModelFileError(f"{path}: no such file; did you mean {meant}?")
    return load(path, threads, precision)
