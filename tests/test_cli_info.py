"""`gencli info`, and what every command says of files that are no models."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from gencli.model import load


def rewrite(path, change):
    """Save a model file again, its header changed."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["gencli"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header)
    save_file(tensors, path, {"gencli": json.dumps(header)})


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def newer(path):
    rewrite(path, lambda header: header.update(version=99))


def other_vocabulary(path):
    rewrite(path, lambda header: header["codec"].update(characters="abc"))


def other_weights(path):
    rewrite(path, lambda header: header["network"].update(hidden_size=17))


def foreign(path):
    with safe_open(path, framework="numpy") as file:
        tensors = {"weight": file.get_tensor("output.weight")}
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (truncate, "truncated"),
        (lambda path: path.write_bytes(b""), "not a model file"),
        (lambda path: path.write_text("Just a text.\n"), "not a model file"),
        (foreign, "not one of gencli's"),
        (newer, "newer"),
        (other_vocabulary, "vocabulary"),
        (other_weights, "shape"),
        (lambda path: path.unlink(), "no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
    ],
)
@pytest.mark.parametrize("command", [("info",), ("sample",), ("score", "x")])
def test_what_is_no_model_is_told(gencli, model, tmp_path, spoil, fault, command):
    path = tmp_path / "m.safetensors"
    shutil.copy(model, path)
    spoil(path)
    ended = gencli(command[0], path, *command[1:])
    assert ended.error.startswith(f"{path}: ")
    assert fault in ended.error
    assert ended.out == ""


def test_info(gencli, model):
    shown = gencli("info", model)
    assert shown.code == 0
    loaded = load(model)
    for fact in ("lstm", "1 layer of 16 units", "names.txt", "54 lines", "6 held out", "train ", "valid ", "epoch 0"):
        assert fact in shown.out
    assert f"{loaded.info.valid_loss:.3f} nats" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_info_of_one_long_text(gencli, prose_model):
    shown = gencli("info", prose_model).out.replace("│", " ")
    assert "one long text" in " ".join(shown.split())  # wherever the line breaks


def test_info_json(gencli, model):
    (line,) = gencli("info", model, "--json").out.splitlines()
    record = json.loads(line)
    loaded = load(model)
    assert record["network"]["hidden_size"] == 16
    assert record["vocabulary_size"] == loaded.codec.vocabulary_size
    assert record["history"] == loaded.info.history
    assert record["valid_loss"] == loaded.info.valid_loss
    assert record["parameters"] == sum(tensor.size for tensor in loaded.stored.tensors.values())
    assert record["train"]["seed"] == 1
