"""Machine code on disk: used again where nothing has changed, and never where anything has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.errors import NumbaError

import gencli
from gencli.kernels import compile as compiling
from gencli.kernels.compile import CompileClock, cache_key, inlined, processor

PACKAGE = Path(gencli.__file__).parent

# The losses of one window; with the argument "all" also what training and sampling compile beyond it.
TINY = """
import json, sys
import numpy as np
from gencli.batches import Batch
from gencli.config import NetworkConfig, OptimizerConfig
from gencli.kernels.compile import CACHE_FOLDER, CompileClock
from gencli.kernels.counter import uniforms
from gencli.kernels.pick import pick
from gencli.kernels.threads import Team
from gencli.network import Network
from gencli.optimizer import AdamW

network = Network(NetworkConfig(5, cell="rnn", hidden_size=8, layers=2, dropout=0.1), Team(1))
ids = np.arange(8, dtype=np.int32).reshape(4, 2) % 5
batch = Batch(ids, ids[::-1].copy(), ids == 3, np.ones((4, 2), np.float32), np.zeros((0, 4, 2), np.int32))
with CompileClock() as clock:
    network.initialise(1)
    losses = network.losses(batch, network.state(2))
    if sys.argv[1] == "all":
        network.learn(batch, network.state(2), 7)
        AdamW(network, OptimizerConfig(clip_value=0.1)).step(0.01)
        numbers, chances = np.arange(2, dtype=np.uint64), np.empty(2)
        uniforms(np.uint64(1), numbers, numbers, chances)
        logits = network.logits(ids[:1], batch.starts[:1], batch.side[:, :1], network.state(2))[0]
        work = (np.empty(5), np.empty(5, np.int32))
        pick(logits, np.zeros((2, 5), np.float32), 0.8, None, chances, *work, np.full(2, -1, np.int32), np.empty(2))
print(json.dumps({"seconds": clock.seconds, "losses": losses.tolist(), "folder": str(CACHE_FOLDER)}))
"""

# Which kernels of the package have machine code after a model has read or written a text.
USED = """
import json, sys
from numba.core.dispatcher import Dispatcher
from gencli.model import load

model = load(sys.argv[1], 1)
model.sample(2, max_length=3) if sys.argv[2] == "sample" else list(model.scores(["a", "bc"]))
kernels = {
    f"{name}.{each.py_func.__name__}"
    for name, module in sys.modules.items() if name.startswith("gencli.")
    for each in vars(module).values()
    if isinstance(each, Dispatcher) and each.signatures and each.__module__ == name
}
print(json.dumps({"kernels": sorted(kernels)}))
"""

# One small kernel.
SMALL = """
import json
import numpy as np
from gencli.kernels.compile import CACHE_FOLDER, CompileClock
from gencli.kernels.counter import uniforms

with CompileClock() as clock:
    uniforms(np.uint64(1), np.zeros(1, np.uint64), np.zeros(1, np.uint64), np.empty(1))
print(json.dumps({"seconds": clock.seconds, "folder": str(CACHE_FOLDER)}))
"""

# A kernel whose callee is given a number that is a literal at first.
LITERAL = """
import json
import numpy as np
from gencli.kernels.pick import _draw, pick

work = (np.empty(5), np.empty(5, np.int32))
logits, tokens = np.zeros((2, 5), np.float32), np.full(2, -1, np.int32)
pick(logits, logits, 0.8, None, np.zeros(2), *work, tokens, np.empty(2))
print(json.dumps({"compiled": len(_draw.signatures)}))
"""


def run(script: str, *arguments: str, package: Path = PACKAGE, **environment: str) -> dict[str, Any]:
    """What a script prints that a new process runs with the package that lies in `package`."""
    paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    command = [sys.executable, "-P", "-W", "error", "-c", script, *arguments]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources that cache_key reads in place of the package's own."""
    copy = tmp_path / "copy"
    for folder in ("kernels", "cells", "layers"):
        shutil.copytree(PACKAGE / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiling, "ROOT", copy)
    return copy


# --- the key --------------------------------------------------------------------------------------------------------


def test_the_key_is_that_of_the_contents_not_of_their_place(sources: Path) -> None:
    assert f"kernels-{cache_key()}" == compiling.CACHE_FOLDER.name


@pytest.mark.parametrize("name", ["kernels/activations.py", "kernels/vector.py", "kernels/compile.py", "cells/lstm.py"])
def test_the_key_changes_with_any_source_of_kernels_and_cells(sources: Path, name: str) -> None:
    before, path = cache_key(), sources / name
    text = path.read_bytes()
    path.write_bytes(text + b"\n")
    assert cache_key() != before
    path.write_bytes(text)
    assert cache_key() == before
    path.rename(path.with_name("another_name.py"))
    assert cache_key() != before


def test_the_key_ignores_what_is_not_compiled(sources: Path) -> None:
    before = cache_key()
    (sources / "layers" / "recurrent.py").write_text("", encoding="utf-8")
    (sources / "kernels" / "notes.txt").write_text("nothing", encoding="utf-8")
    assert cache_key() == before


def test_the_key_changes_with_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    name, features = processor()
    assert name
    keys = [cache_key()]
    for other in ((f"{name}-next", features), (name, features | {"a-feature-of-the-future"}), (name, frozenset())):
        monkeypatch.setattr(compiling, "processor", lambda other=other: other)
        keys.append(cache_key())
    assert len(set(keys)) == 4


@pytest.mark.parametrize("library", ["numba", "llvmlite"])
def test_the_key_changes_with_the_compilers_version(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    before = cache_key()
    monkeypatch.setattr(f"{library}.__version__", "999.0")
    assert cache_key() != before


# --- the folder -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """A cache home, and what the process found that filled it."""
    home = str(tmp_path_factory.mktemp("cache"))
    return home, run(TINY, "all", XDG_CACHE_HOME=home)


def test_a_second_process_compiles_nothing(warm: tuple[str, dict[str, Any]]) -> None:
    home, first = warm
    assert first["seconds"] > 0
    assert Path(first["folder"]).parent == Path(home) / "gencli"
    assert first["folder"].endswith(f"kernels-{cache_key()}")
    assert run(TINY, "all", XDG_CACHE_HOME=home) == {**first, "seconds": 0}


def test_kernels_find_a_linked_function_whose_code_was_lost(warm: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    """A kernel's machine code names the product's; without it in the folder it is compiled again, not missed."""
    home = tmp_path / "home"
    shutil.copytree(warm[0], home)
    lost = list(home.rglob("*tile_rows*"))
    assert len(lost) == 1
    for path in lost:
        path.unlink()
    found = run(TINY, "all", XDG_CACHE_HOME=str(home))
    assert found["losses"] == warm[1]["losses"]
    assert {path.name for path in home.rglob("*tile_rows*")} == {path.name for path in lost}


def test_after_an_edit_of_a_callee_its_callers_are_compiled_anew(
    warm: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    """The cell calls tanh, which here stops at tanh(0.5); the cell's own file stays as it is."""
    home, first = warm
    edited = tmp_path / "gencli"
    shutil.copytree(PACKAGE, edited, ignore=shutil.ignore_patterns("__pycache__"))
    with (edited / "kernels" / "activations.py").open("a", encoding="utf-8") as file:
        file.write("\nTANH_LIMIT = np.float32(0.5)\n")
    found = run(TINY, "forward", package=edited, XDG_CACHE_HOME=home)
    assert found["seconds"] > 0
    assert found["folder"] != first["folder"]
    assert found["losses"] != first["losses"]
    # The old folder is untouched: the old sources still find their code there.
    assert run(TINY, "forward", XDG_CACHE_HOME=home) == {**first, "seconds": 0}


@pytest.mark.parametrize(
    ("task", "kernels"),
    [
        ("sample", ["gencli.cells.generate.generate"]),
        ("score", ["gencli.cells.read.read", "gencli.kernels.softmax.token_losses"]),
    ],
)
def test_a_command_that_reads_or_writes_compiles_no_training(model: Path, task: str, kernels: list[str]) -> None:
    assert run(USED, str(model), task) == {"kernels": kernels}


def test_a_cache_home_that_cannot_be_written_gives_way_to_the_temporary_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    places = {"XDG_CACHE_HOME": str(tmp_path / "file"), "TMPDIR": str(temporary)}
    first = run(SMALL, **places)
    assert Path(first["folder"]).is_relative_to(temporary)
    assert Path(first["folder"]).name.endswith(f"kernels-{cache_key()}")
    assert Path(first["folder"]).stat().st_mode & 0o077 == 0
    assert list(Path(first["folder"]).glob("*.code"))
    assert first["seconds"] > 0
    assert run(SMALL, **places) == {**first, "seconds": 0}


# --- the clock ------------------------------------------------------------------------------------------------------


def test_the_clock_counts_compilations_while_it_is_installed_and_announces_the_first() -> None:
    announced = []

    def compile_one(number: int) -> None:
        assert compiling.inlined(lambda x: x + number)(1) == 1 + number

    clock = CompileClock()
    clock.on_begin = lambda: announced.append(clock.seconds)
    compile_one(1)
    assert clock.seconds == 0
    with clock:
        assert not announced
        compile_one(2)
        once = clock.seconds
        assert once > 0
        compile_one(3)
    twice = clock.seconds
    assert twice > once
    compile_one(4)
    assert clock.seconds == twice
    assert announced == [0]


def test_no_function_is_compiled_for_a_literal_apart(tmp_path: Path) -> None:
    assert run(LITERAL, XDG_CACHE_HOME=str(tmp_path)) == {"compiled": 1}


def test_a_kernel_cannot_take_memory() -> None:
    """Sampling and training take none for a token: code that would is refused when it is compiled."""
    greedy = inlined(lambda count: np.empty(count).sum())
    with pytest.raises(NumbaError, match="empty"):
        greedy(3)
