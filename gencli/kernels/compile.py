"""The one decorator of compiled code, and the folder where machine code is kept.

Numba stamps cached machine code with the source file of the function alone, so that after an edit or an upgrade of a
callee's file the old code would still run. Here the folder's name is a hash of everything the code depends on: all
sources of kernels and cells, the versions of numba and llvmlite, and the processor's name and features.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba import types
from numba.core import event
from numba.core.registry import cpu_target

from gencli.kernels.link import MachineCode

ROOT = Path(__file__).resolve().parent.parent
# A tick of the event "numba:compile" counts each function once, its callees included in its time.
_COMPILE_EVENT = "numba:compile"
# No kernel allocates: without Numba's counts of references a fifth less is compiled.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}


def processor() -> tuple[str, frozenset[str]]:
    """Name and features of the processor that Numba compiles for (its overrides included)."""
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    return name, frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


def cache_key() -> str:
    """A hash that changes whenever machine code compiled before must not run any more."""
    digest = hashlib.sha256()
    for folder in ("kernels", "cells"):
        for path in sorted((ROOT / folder).glob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    name, features = processor()
    digest.update(repr((numba.__version__, llvmlite.__version__, name, sorted(features))).encode())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """The user's cache folder, or one under the temporary folder where that cannot be written."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "gencli" / f"kernels-{cache_key()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        fallback = Path(tempfile.gettempdir()) / f"gencli-{user}-{folder.name}"
        fallback.mkdir(exist_ok=True, mode=0o700)
        if hasattr(os, "getuid") and fallback.stat().st_uid != user:  # machine code of somebody else's is not run
            return Path(tempfile.mkdtemp(prefix="gencli-"))
        return fallback


CACHE_FOLDER = _cache_folder()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` without the interpreter's lock, its machine code kept in the keyed folder.

    Divisions by zero follow IEEE 754, as NumPy's do. Other kernels call it by name (kernels/link.py).
    """
    compiled = _compiled(function)
    code = compiled._cache = MachineCode(function, CACHE_FOLDER)
    add = compiled.add_overload

    def add_and_offer(result: Any) -> None:
        """Called with what was compiled, or loaded."""
        add(result)
        code.offer(result)

    compiled.add_overload = add_and_offer
    return compiled


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a small function that only other kernels call; LLVM places it in its callers, and no file is kept."""
    return _compiled(function)


def pasted(function: Callable[..., Any]) -> Any:
    """As `inlined`, for a function with few callers: its lines are compiled with theirs, not first on their own."""
    return _compiled(function, inline="always")


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Numba's dispatcher; a call with a literal number is one with any number, not compiled for each literal apart."""
    compiled = numba.njit(**OPTIONS, **options)(function)
    templates = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: templates(tuple(map(types.unliteral, args)), kws)
    return compiled


def compiling_elsewhere() -> Any:
    """A block that waits for another process to compile: its time counts as compiling."""
    return event.trigger_event(_COMPILE_EVENT)


class CompileClock(event.Listener):
    """Adds up the seconds spent compiling while it is installed; loading from the folder does not count."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_begin: Callable[[], None] | None = None  # told once, when the first compilation begins
        self._depth = 0
        self._since = 0.0

    def on_start(self, event: Any) -> None:
        """The outermost compilation begins."""
        if self._depth == 0:
            self._since = time.perf_counter()
            if self.on_begin is not None:
                announce, self.on_begin = self.on_begin, None
                announce()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        """The outermost compilation ends."""
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.perf_counter() - self._since

    def __enter__(self) -> CompileClock:
        event.register(_COMPILE_EVENT, self)
        return self

    def __exit__(self, *_: object) -> None:
        event.unregister(_COMPILE_EVENT, self)
