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


@pytest.mark.parametrize("command", [("info",), ("sample",), ("score", "x"), ("train", "names.txt", "--init-from")])
def test_a_forgotten_suffix_is_guessed(gencli, names, model, tmp_path, command):
    shutil.copy(model, tmp_path / "m.safetensors")
    words = (*command, "m") if command[0] == "train" else (command[0], "m", *command[1:])
    assert gencli(*words).error == "m: no such file; did you mean m.safetensors?"


@pytest.fixture
def learned(model, tmp_path):
    """The small model with a history of twelve evaluations, the eighth the best."""
    path = tmp_path / "m.safetensors"
    shutil.copy(model, path)
    history = [
        {"step": 10 * i, "epoch": float(i), "train_loss": 4 / i, "valid_loss": 1.5 + abs(i - 8) / 10}
        for i in range(1, 13)
    ]
    rewrite(path, lambda header: header["info"].update(history=history, valid_loss=1.5))
    return path


def test_info(gencli, learned):
    shown = gencli("info", learned)
    assert shown.code == 0
    for fact in ("lstm", "1 layer of 16 units", "names.txt", "54 lines", "6 held out", "epoch 0"):
        assert fact in shown.out
    assert "train 0.333" in shown.out
    assert "valid 1.900" in shown.out
    told = " ".join(shown.out.replace("│", " ").split())
    assert "validation 1.500 nats a token (2.164 bits) at epoch 8.0; these weights are kept" in told
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("width", "ends", "curve"),
    [(72, "valid 1.900", 48), (71, "valid", 48), (60, "valid", 42), (40, "valid", 22), (39, None, 0), (30, None, 0)],
)
def test_info_fits_the_terminal(gencli, learned, monkeypatch, width, ends, curve):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = gencli("info", learned).out.splitlines()
    assert max(map(len, lines)) <= width
    named = [line.strip("│ ") for line in lines if "valid" in line and "validation" not in line]
    assert [line.endswith(ends) for line in named] == ([] if ends is None else [True])
    if ends is not None:
        axis = next(line for line in lines if "epoch 0" in line)
        assert axis.strip("│ ").endswith(" 12")
        assert axis.index("12") + 2 == 2 + 8 + curve
    else:
        assert not any("epoch 0" in line for line in lines)


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
