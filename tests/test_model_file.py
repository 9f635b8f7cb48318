"""A model file holds everything; a damaged one is told in one line and never half-believed."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

import gencli
from gencli.errors import ModelFileError
from gencli.model_file import read_model, read_resume, resume_path, write_model, write_resume


@pytest.fixture
def stored(random_stored):
    """A model with two layers, a history and the marks of its corpus."""
    model = random_stored("\nabc\u00e9\U0001f600", corpus=["abc", "cab", "b"], layers=2, cell="peephole-lstm")
    history = [{"step": 10, "epoch": 1.25, "train_loss": 2.5, "valid_loss": None}]
    return replace(model, info=replace(model.info, history=history, valid_loss=1 / 3))


@pytest.fixture
def path(stored, tmp_path):
    """The model's file, alone in its folder."""
    write_model(tmp_path / "model.safetensors", stored)
    return tmp_path / "model.safetensors"


def check_refused(path):
    """The message with which a file is refused: one line that begins with its name and ends in what to do."""
    with pytest.raises(ModelFileError) as caught:
        gencli.load(path, threads=1)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    remedies = ("train the model again", "`gencli train`", "upgrade gencli")
    assert any(remedy in message for remedy in remedies), message
    return message


def rewrite(path, change):
    """Change the settings and tensors of a model file in place, leaving a well-formed safetensors file."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["gencli"])
        tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    changed = change(header, tensors)
    path.write_bytes(save(tensors, {"gencli": json.dumps(header if changed is None else changed)}))


def test_a_model_comes_back_as_it_went_in(path, stored):
    back = read_model(path)
    assert back.network == stored.network
    assert back.info == stored.info
    assert back.codec.state() == stored.codec.state()
    assert back.tensors.keys() == stored.tensors.keys()
    for name, array in stored.tensors.items():
        assert back.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(back.tensors[name], array)
    np.testing.assert_array_equal(back.hashes, stored.hashes)
    assert back.hashes.dtype == np.uint64


def test_equal_models_are_equal_bytes_and_unequal_ones_are_not(path, stored, tmp_path):
    other = tmp_path / "other.safetensors"
    write_model(other, read_model(path))
    assert other.read_bytes() == path.read_bytes()
    reordered = replace(stored, tensors=dict(reversed(stored.tensors.items())))
    write_model(other, reordered)
    assert other.read_bytes() == path.read_bytes()
    write_model(other, replace(stored, info=replace(stored.info, name="others")))
    assert other.read_bytes() != path.read_bytes()


def test_the_format_is_plain_safetensors_with_json(path, stored):
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["gencli"])
        assert set(file.keys()) == {*stored.tensors, "corpus.hashes"}
        assert file.get_tensor("layers.1.recurrent").shape == (12, 48)
    assert (header["format"], header["version"]) == ("gencli-model", 1)
    assert header["codec"] == {"level": "char", "characters": "\nabc\u00e9\U0001f600"}


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for length in (0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        check_refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\0" * 1000,
        b"names\nof\ndinosaurs\n" * 50,
        np.random.default_rng(1).bytes(3000),
        b"\x02" + b"\0" * 7 + b"{}",
        b"\x10" + b"\0" * 7 + b'{"a": "unclosed ',
        b"\xff" * 8 + b"{}",
    ],
    ids=["empty", "a NUL", "NULs", "text", "random", "no tensors", "broken header", "endless header"],
)
def test_what_is_no_model_file_is_refused(tmp_path, content):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    check_refused(path)


def test_bytes_behind_the_end_are_refused(path):
    path.write_bytes(path.read_bytes() + b"more")
    check_refused(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    assert "is a folder" in check_refused(tmp_path)
    assert "no such file" in check_refused(tmp_path / "nothing.safetensors")


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(save({"weight": np.zeros(3, np.float32)}, {"format": "pt"}))
    assert "not one of gencli's" in check_refused(path)
    path.write_bytes(save({"weight": np.zeros(3, np.float32)}))
    assert "not one of gencli's" in check_refused(path)


def test_a_resume_file_is_no_model_and_a_model_no_resume_file(path, tmp_path):
    other = resume_path(path)
    write_resume(other, {"now.output.bias": np.zeros(3, np.float32)}, {})
    assert "an interrupted run's, not a model" in check_refused(other)
    with pytest.raises(ModelFileError, match="not a file of the kind gencli-model-resume"):
        read_resume(path)


def test_where_a_run_keeps_what_resuming_needs(tmp_path):
    assert resume_path(tmp_path / "a.safetensors") == tmp_path / "a.resume.safetensors"
    assert resume_path(tmp_path / "a.b") == tmp_path / "a.b.resume.safetensors"


@pytest.mark.parametrize("version", [2, 999, "1", None, 1.5])
def test_a_newer_format_asks_for_an_upgrade(path, version):
    rewrite(path, lambda header, _: header.update(version=version))
    assert "upgrade gencli" in check_refused(path)


@pytest.mark.parametrize("characters", ["abc", "abcdefghijk"], ids=["fewer", "more"])
def test_a_vocabulary_that_does_not_fit_is_refused_with_both_sizes(path, characters):
    rewrite(path, lambda header, _: header["codec"].update(characters=characters))
    message = check_refused(path)
    assert f"{len(characters) + 2} symbols" in message
    assert "weights are for 8" in message


def test_other_side_inputs_than_the_vocabulary_has_are_told_apart_from_damage(path):
    def change(header, tensors):
        header["network"]["side_sizes"] = [3]

    rewrite(path, change)
    assert "another version of gencli" in check_refused(path)


def put(tensor, value):
    """A change that sets one element of a tensor."""

    def change(_, tensors):
        tensors[tensor] = tensors[tensor].copy()
        tensors[tensor].flat[3] = value

    return change


def drop(name):
    """A change that takes a tensor away."""

    def change(_, tensors):
        del tensors[name]

    return change


DAMAGES = {
    "missing tensor": drop("output.bias"),
    "missing hashes": drop("corpus.hashes"),
    "wrong shape": lambda header, tensors: tensors.update({"output.bias": np.zeros(3, np.float32)}),
    "transposed": lambda header, tensors: tensors.update(
        {"tokens.table": np.ascontiguousarray(tensors["tokens.table"].T)}
    ),
    "NaN": put("tokens.table", np.nan),
    "infinite": put("output.bias", np.inf),
    "layers": lambda header, tensors: header["network"].update(layers=3),
    "cell": lambda header, tensors: header["network"].update(cell="transformer"),
    "hidden size 0": lambda header, tensors: header["network"].update(hidden_size=0),
    "hidden size a word": lambda header, tensors: header["network"].update(hidden_size="many"),
    "hidden size a fraction": lambda header, tensors: header["network"].update(hidden_size=12.5),
    "unknown setting": lambda header, tensors: header["network"].update(wings=2),
    "missing setting": lambda header, tensors: header["network"].pop("vocabulary_size") and None,
    "no network": lambda header, tensors: header.pop("network") and None,
    "network a list": lambda header, tensors: header.update(network=[1]),
    "no codec": lambda header, tensors: header.pop("codec") and None,
    "unknown level": lambda header, tensors: header["codec"].update(level="smell"),
    "disordered characters": lambda header, tensors: header["codec"].update(characters="bacdef"),
    "characters a number": lambda header, tensors: header["codec"].update(characters=6),
    "no info": lambda header, tensors: header.pop("info") and None,
    "info a text": lambda header, tensors: header.update(info="none"),
    "info null": lambda header, tensors: header.update(info=None),
    "training null": lambda header, tensors: header["info"].update(train=None),
    "optimizer a number": lambda header, tensors: header["info"]["train"].update(optimizer=3),
    "negative rate": lambda header, tensors: header["info"]["train"]["optimizer"].update(lr=-1.0),
    "unknown documents": lambda header, tensors: header["info"].update(documents="poems"),
    "a list": lambda header, tensors: [header],
    "a number": lambda header, tensors: 7,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_contents_are_refused(path, damage):
    rewrite(path, lambda header, tensors: DAMAGES[damage](header, tensors))
    check_refused(path)


@pytest.mark.parametrize("text", ["", "{", '{"format": "gencli-model", "version": 1', "null", '"gencli-model"'])
def test_settings_that_are_no_json_object_are_refused(path, text):
    path.write_bytes(save({"output.bias": np.zeros(3, np.float32)}, {"gencli": text}))
    check_refused(path)


def test_an_undamaged_rewrite_is_read(path, stored):
    # Without this the tests above might pass because `rewrite` itself breaks the file.
    rewrite(path, lambda header, tensors: None)
    assert read_model(path).info == stored.info
    assert len(gencli.load(path, threads=1).sample(2)) == 2


def test_a_full_disk_leaves_the_old_model_and_nothing_else(path, stored, tmp_path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelFileError) as caught:
        write_model(path, replace(stored, info=replace(stored.info, name="others")))
    assert str(caught.value) == f"{path}: cannot be written (No space left on device); name another place with -o"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
