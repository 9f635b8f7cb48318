"""The house of the design: who may import whom, and what every newcomer must bring."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

import gencli
from gencli.cells.cell import Cell
from gencli.codecs.codec import codec_from_state, fit_codec
from gencli.config import CellName, Level
from gencli.documents import Document
from tests.reference import cells

PACKAGE = Path(gencli.__file__).parent
PATHS = sorted(PACKAGE.rglob("*.py"))

# From the roof down. A module may import from its own storey and from those below it. The modules of a storey that
# has two columns do not look into the other column, but for the Batch, which is where they meet.
STOREYS = (
    {"cli"},
    {"display", "display_cells", "display_tables", "plot"},
    {"model", "comparison", "diagnosis", "estimate"},
    {"sampling", "scoring", "training", "rehearsal", "checkpoint", "evaluation", "improvising", "tune_scoring"},
    {"model_file", "recipe", "progress"},
    {"gradient_norms"},
    {
        "corpus",
        "defaults",
        "figures",
        "gradient_flow",
        "leaning",
        "optimizer",
        "precision",
        "recent",
        "speaker",
        "speed",
        "tune_corpus",
    },
    {"network"},
    {"batches"},
    {"codecs"},
    {"splitting"},
    {"cut_stored"},
    {"documents", "music", "stored_documents", "text_store", "words", "layers"},
    {"document", "scratch", "sources"},
    {"parameters"},
    {"cells"},
    {"kernels"},
    {"choices", "files", "version"},
    {"config"},
    {"errors"},
)
DOCUMENTS = {
    "batches",
    "codecs",
    "corpus",
    "cut_stored",
    "document",
    "documents",
    "music",
    "sources",
    "splitting",
    "stored_documents",
    "text_store",
    "tune_corpus",
    "words",
}
NUMBERS = {
    "gradient_flow",
    "gradient_norms",
    "speaker",
    "speed",
    "optimizer",
    "network",
    "layers",
    "parameters",
    "cells",
    "kernels",
}

HOMES = {  # a package that is imported -> where alone
    "llvmlite": ("kernels/",),
    "matplotlib": ("plot.py", "music/piano_roll.py"),
    "music21": ("music/",),
    "numba": ("kernels/", "cells/"),
    "rich": ("display", "cli/"),
    "torch": (),
    "typer": ("cli/",),
}


def dotted(path):
    """gencli/cells/lstm.py -> gencli.cells.lstm"""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in PATHS}


def imported(path):
    """The dotted names that a file imports anywhere, inside functions too; modules of gencli as such."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (inner & MODULES.keys()) or {node.module}


def room(module):
    """gencli.cells.lstm -> cells; the package's own front -> None."""
    return module.split(".")[1] if "." in module else None


def storey(module):
    """The number of a module's storey, counted from the roof."""
    return next(number for number, rooms in enumerate(STOREYS) if room(module) in rooms)


EDGES = [(m, i) for m, path in MODULES.items() for i in imported(path) if i in MODULES and room(m) and room(i)]


def test_every_module_has_its_place():
    assert {room(module) for module in MODULES} - {None} - set().union(*STOREYS) == set()


def test_nothing_imports_upward():
    assert len(EDGES) > 100
    assert [edge for edge in EDGES if storey(edge[1]) < storey(edge[0])] == []


def test_the_columns_meet_in_the_batch_alone():
    crossing = [(m, i) for m, i in EDGES if {room(m), room(i)} & DOCUMENTS and {room(m), room(i)} & NUMBERS]
    between = [(m, i) for m, i in crossing if {room(m), room(i)} <= DOCUMENTS | NUMBERS]
    assert between == [("gencli.network", "gencli.batches")]


def test_imports_go_in_no_circle():
    below = {module: {i for m, i in EDGES if m == module} - {module} for module in MODULES}
    assert len(list(TopologicalSorter(below).static_order())) == len(MODULES)  # a circle raises CycleError


@pytest.mark.parametrize("package", HOMES)
def test_a_package_is_imported_in_its_home_alone(package):
    users = [p for p in PATHS if any(name.split(".")[0] == package for name in imported(p))]
    where = [path.relative_to(PACKAGE).as_posix() for path in users]
    assert [place for place in where if not place.startswith(HOMES[package] or "nowhere")] == []


@pytest.mark.parametrize("module", ["gencli", "gencli.config", "gencli.errors"])
def test_a_light_import_stays_light(module):
    heavy = ["numba", "numpy", "music21", "matplotlib", "rich", "safetensors"]
    code = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_the_package_offers_what_it_names_and_nothing_else():
    assert all(getattr(gencli, name).__module__ == "gencli.model" for name in gencli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = gencli.trian


@pytest.mark.parametrize("name", get_args(CellName))
def test_every_cell_has_a_file_and_a_twin(name):
    cell = import_module(f"gencli.cells.{name.replace('-', '_')}").CELL
    assert isinstance(cell, Cell)
    assert cell.gates == len(cells.GATES[name])
    assert name in cells.STEPS
    assert (cell.peephole_gradient is not None) == (name in cells.PEEPHOLES)
    gates = sorted((product.first, product.last) for product in cell.products)
    assert [first for first, _ in gates] == [0, *[last for _, last in gates[:-1]]]
    assert gates[-1][1] == cell.gates


NOT_CELLS = {"--init--", "cell", "step", "read", "generate", "lstm-row"}


def test_every_file_of_a_cell_is_named_and_every_twin_has_a_cell():
    files = {path.stem.replace("_", "-") for path in (PACKAGE / "cells").glob("*.py")} - NOT_CELLS
    assert files == set(get_args(CellName)) == set(cells.STEPS)


@pytest.mark.parametrize("level", get_args(Level))
def test_every_level_has_a_codec(level):
    text = "METER_4/4 BAR P60 D48" if level == "music" else "ab ba"
    codec = fit_codec(level, [Document(text), Document(text[:-3] + "D24" if level == "music" else "ab")])
    assert codec.level == level
    assert codec_from_state(codec.state()).state() == codec.state()
    assert codec.decode(codec.encode(text)) == text


def test_every_file_of_a_codec_is_named():
    files = {path.stem for path in (PACKAGE / "codecs").glob("*.py")} - {"__init__", "codec"}
    assert files == set(get_args(Level))


@pytest.mark.parametrize("path", PATHS, ids=dotted)
def test_no_file_is_over_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
