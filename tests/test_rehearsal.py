"""Compiling beside training: the second process compiles just what is run later, and nothing depends on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

import gencli
from gencli import rehearsal
from gencli.config import NetworkConfig
from tests.conftest import ROOT

CONFIG = NetworkConfig(20, cell="rnn", hidden_size=8)
USE = """
import sys, gencli
gencli.train(sys.argv[1], sys.argv[2], cell="rnn", hidden_size=8, epochs=1.0, threads=1, embedding_size=0)
"""


def run(script, *arguments, cache):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-P", "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300).stdout


def kernel_of(name):
    """What a file of machine code is named after: module and function, before the types' digest."""
    return name.rpartition("_")[0]


def test_the_second_process_compiles_all_that_evaluations_and_samples_run(tmp_path):
    run(rehearsal.PROGRAM, json.dumps({"config": asdict(CONFIG), "draws": True}), cache=tmp_path)
    [folder] = tmp_path.glob("gencli/kernels-*")
    assert (folder / "rehearsed-rnn-table-full-draws").exists()
    known = {path.name for path in folder.glob("*.code")}
    assert {"read_read", "generate_generate", "softmax_token_losses"} <= {kernel_of(name) for name in known}
    run(USE, "dinosaurs", tmp_path / "model.safetensors", cache=tmp_path)
    more = {path.name for path in folder.glob("*.code")} - known
    assert "softmax_softmax_loss" in {kernel_of(name) for name in more}
    again = {name for name in more if name.startswith(("read_", "generate_", "softmax_token"))}
    assert not again, "compiled for other types than the rehearsal's"


@pytest.fixture
def started(monkeypatch):
    """The command lines of processes that would have been started."""
    found = []

    class Process:
        def __init__(self, command, **_):
            found.append(command)

        def wait(self):
            return 1

    monkeypatch.setattr(subprocess, "Popen", Process)
    return found


def test_it_is_started_once_and_only_where_a_processor_is_free(tmp_path, monkeypatch, started):
    monkeypatch.setattr(rehearsal, "CACHE_FOLDER", tmp_path)
    assert not rehearsal.Beside(CONFIG, True, threads=1).running
    assert rehearsal.Beside(CONFIG, True, threads=2).running
    assert [json.loads(command[-1])["config"]["cell"] for command in started] == ["rnn"]
    rehearsal._mark(CONFIG, True).touch()
    assert not rehearsal.Beside(CONFIG, True, threads=2).running
    assert rehearsal.Beside(CONFIG, False, threads=2).running, "tunes run other kernels"


def test_a_run_is_the_same_with_and_without_it(tmp_path, monkeypatch, started):
    monkeypatch.setattr(rehearsal, "CACHE_FOLDER", tmp_path)
    settings = {"cell": "lstm", "hidden_size": 16, "epochs": 1.0, "threads": 2, "weight_dropout": 0.2}
    gencli.train("minerals", tmp_path / "with.safetensors", **settings)
    assert len(started) == 1
    gencli.train("minerals", tmp_path / "without.safetensors", **{**settings, "threads": 1})
    assert len(started) == 1
    assert (tmp_path / "with.safetensors").read_bytes() == (tmp_path / "without.safetensors").read_bytes()
