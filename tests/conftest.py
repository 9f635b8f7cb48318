"""What the tests of the command line share: a way to run it, and small models that are trained once."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUN = "from gencli.cli.main import run; run()"
NAMES = (ROOT / "corpora" / "dinosaurs.txt").read_text(encoding="utf-8").split()[::24][:60]
PROSE = "The river ran down.\nIt met the sea, at last.\n\nNobody saw it: nobody at all.\n" * 8
LONGEST = 300.0  # seconds that a process may take before it is killed
SMALL = ("--hidden-size", "16", "--layers", "1", "--threads", "1", "-q")


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr of a command that failed through the user's input."""
        assert self.code == 1, (self.code, self.err)
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("gencli: error: "), self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("gencli: error: ").strip()


@pytest.fixture
def gencli(monkeypatch, capsys):
    """Runs a command line in this process: `gencli("sample", model, stdin=b"")` gives what Ended holds."""
    from gencli.cli.main import run

    def call(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["gencli", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run()
        written = capsys.readouterr()
        return Ended(end.value.code or 0, written.out, written.err)

    return call


@pytest.fixture
def start():
    """Starts a command line as a process of its own, with pipes; what runs too long, or at the end still, is killed."""
    running = []

    def call(*arguments, program=RUN, **options):
        command = [sys.executable, "-c", program, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, env=environment, encoding="utf-8", **{**pipes, **options})
        watchdog = threading.Timer(LONGEST, process.kill)
        watchdog.start()
        running.append((process, watchdog))
        return process

    yield call
    for process, watchdog in running:
        watchdog.cancel()
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with names.txt, prose.txt, and models of both: names.safetensors, prose.safetensors."""
    from gencli.model import train

    folder = tmp_path_factory.mktemp("trained")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    (folder / "prose.txt").write_text(PROSE, encoding="utf-8")
    small = {"threads": 1, "hidden_size": 16, "layers": 1, "epochs": 2}
    train(str(folder / "names.txt"), folder / "names.safetensors", **small)
    train(str(folder / "prose.txt"), folder / "prose.safetensors", documents="stream", **small)
    return folder


@pytest.fixture
def model(trained):
    """The small model of names."""
    return trained / "names.safetensors"


@pytest.fixture
def prose_model(trained):
    """The small model of one long text."""
    return trained / "prose.safetensors"


@pytest.fixture
def names(tmp_path, monkeypatch):
    """names.txt in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    return "names.txt"


# A run of about 23 steps in which passes (7 or 8 steps) and evaluations (every 10) end at different steps.
SHORT_RUN = {
    "hidden_size": 8,
    "layers": 2,
    "batch_size": 4,
    "seq_length": 16,
    "epochs": 3.0,
    "dropout": 0.2,
    "lr": 0.01,
}


@pytest.fixture(scope="session")
def names_file(tmp_path_factory):
    """A text file of 40 names, outside any test's own folder."""
    path = tmp_path_factory.mktemp("corpus") / "names.txt"
    path.write_text("\n".join(NAMES[:40]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def begin(names_file, tmp_path):
    """Makes a run of SHORT_RUN, changed as told, that is ready to fit; its output is in the test's folder."""
    from gencli.choices import Choices
    from gencli.model import start_training

    runs = []

    def make(source=names_file, output="model.safetensors", threads=1, init_from=None, sample_every=None, **changes):
        choices = Choices(**{**SHORT_RUN, **changes})
        run = start_training([str(source)], tmp_path / output, choices, threads, init_from, sample_every)
        runs.append(run)
        return run

    yield make
    for run in runs:
        run.network.team.close()


@pytest.fixture
def random_stored():
    """Makes a whole model, as a file would hold it, whose every parameter is random, of some characters or a codec."""
    import numpy as np

    from gencli.codecs.char import CharCodec
    from gencli.config import NetworkConfig, TrainConfig
    from gencli.model_file import ModelInfo, StoredModel
    from gencli.recipe import document_hash
    from tests.reference import network as reference

    def make(characters="abcdef", *, corpus=(), documents="line", seed=0, scale=0.5, **network):
        codec = CharCodec(characters) if isinstance(characters, str) else characters
        config = NetworkConfig(codec.vocabulary_size, **{"hidden_size": 12, **network})
        rng = np.random.default_rng(seed)
        shape = (config.vocabulary_size, config.hidden_size, config.layers)
        values = reference.random_parameters(rng, config.cell, *shape, scale=scale)
        tensors = {name: array.astype(np.float32) for name, array in values.items()}
        info = ModelInfo("letters", "letters.txt", documents, 2, 1, 10, TrainConfig(), "0")
        hashes = np.unique(np.array([document_hash(codec.normalised(text)) for text in corpus], np.uint64))
        return StoredModel(config, codec, info, tensors, hashes)

    return make


@pytest.fixture
def random_model(random_stored):
    """Makes a model, ready to use, whose every parameter is random."""
    from gencli.model import Model

    models = []

    def make(*arguments, threads=1, **settings):
        models.append(Model(random_stored(*arguments, **settings), threads))
        return models[-1]

    yield make
    for model in models:
        model.network.team.close()
