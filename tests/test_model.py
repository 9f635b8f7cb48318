"""The Python API: load, train, sample, score, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gencli as package
from gencli.config import SampleConfig
from gencli.errors import CorpusError, ModelFileError, OptionError
from gencli.model import ATTEMPTS, Model
from gencli.model_file import write_model

SMALL = {"threads": 1, "hidden_size": 8, "layers": 1, "epochs": 1, "batch_size": 4, "seq_length": 16}


def test_train_gives_the_model_that_load_reads(names_file, tmp_path, capfd):
    output = tmp_path / "m.safetensors"
    model = package.train(str(names_file), output, cell="gru", **SMALL)
    again = package.load(output, threads=1)
    assert isinstance(model, Model)
    assert model.stored.network.cell == again.stored.network.cell == "gru"
    assert model.sample(5, seed=3) == again.sample(5, seed=3)
    assert again.info.name == "names"
    assert (again.info.train_documents, again.info.valid_documents) == (36, 4)
    assert capfd.readouterr() == ("", "")  # nothing is printed
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_several_sources_are_learned_together(names_file, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("zzyzx\nxyzzy\nfizzy\n")
    model = package.train([str(names_file), str(more)], tmp_path / "m.safetensors", val_fraction=0.0, **SMALL)
    assert model.info.train_documents == 43
    assert model.unknown("xyz") == []
    assert not model.is_novel("xyzzy")


def test_the_same_seed_trains_the_same_model_and_another_another(names_file, tmp_path):
    paths = [tmp_path / f"{n}.safetensors" for n in range(3)]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        package.train(str(names_file), path, seed=seed, **SMALL)
    first, again, other = (path.read_bytes() for path in paths)
    assert first == again
    assert first != other


def test_what_cannot_be_trained_is_refused(names_file, tmp_path):
    with pytest.raises(CorpusError, match="no such file"):
        package.train(str(tmp_path / "none.txt"), tmp_path / "m.safetensors", **SMALL)
    with pytest.raises(OptionError, match="--hidden-size 0"):
        package.train(str(names_file), tmp_path / "m.safetensors", **{**SMALL, "hidden_size": 0})
    with pytest.raises(ModelFileError, match="cannot be written"):
        package.train(str(names_file), tmp_path / "nowhere" / "m.safetensors", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_unique_gives_each_text_once_and_skips_no_new_one(random_model):
    model = random_model("ab")
    free = [sample.text for sample in model.sample(400, max_length=4, temperature=1.0)]
    found = model.sample(12, max_length=4, temperature=1.0, unique=True)
    assert [sample.text for sample in found] == list(dict.fromkeys(free))[:12]
    for sample in found:
        assert free[sample.index] == sample.text
        assert free.index(sample.text) == sample.index


def test_unique_gives_up_where_there_are_no_more(random_model):
    assert len(random_model().sample(3, temperature=0, max_length=9, unique=True)) == 1
    pairs = random_model("ab", documents="stream").sample(10, max_length=2, temperature=2.0, unique=True)
    assert {sample.text for sample in pairs} == {"aa", "ab", "ba", "bb"}
    assert max(sample.index for sample in pairs) < 10 * ATTEMPTS


def test_novel_leaves_out_what_stood_in_the_corpus(random_model):
    corpus = [first + second for first in "abc" for second in ("", "a", "d")]
    model = random_model("abcdef", corpus=corpus)
    free = model.sample(300, max_length=3, temperature=1.0)
    assert {sample.novel for sample in free} == {True, False}
    assert all(sample.novel == (sample.text not in corpus) for sample in free)
    expected = [sample for sample in free if sample.text not in corpus]
    assert model.sample(50, max_length=3, temperature=1.0, novel=True) == expected[:50]
    both = model.sample(30, max_length=3, temperature=1.0, novel=True, unique=True)
    assert [s.text for s in both] == list(dict.fromkeys(sample.text for sample in expected))[:30]


def test_all_documents_of_the_corpus_are_known_those_held_out_too(names_file, tmp_path):
    model = package.train(str(names_file), tmp_path / "m.safetensors", **SMALL)
    assert [name for name in names_file.read_text().split() if model.is_novel(name)] == []
    assert model.is_novel("Gencliosaurus")
    assert model.is_novel("")


def test_a_model_of_a_stream_knows_no_novelty(random_model):
    model = random_model(documents="stream")
    with pytest.raises(OptionError, match="--novel"):
        model.sample(1, novel=True)
    assert model.sample(1, max_length=3)[0].novel is None


def test_unknown_symbols_of_a_prompt_are_left_out_or_refused(random_model):
    model = random_model()
    assert model.sample(5, "zaz\u00e9b", seed=2) == model.sample(5, "ab", seed=2)
    assert next(iter(model.stream("zaz\u00e9b", SampleConfig()))) == "ab"
    with pytest.raises(OptionError) as caught:
        model.sample(5, "zaz\u00e9b", strict=True)
    assert "'z', '\u00e9'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(model.sample(5, "ab", strict=True)) == 5


def test_samples_come_one_by_one_and_as_many_as_asked_for(random_model):
    model = random_model()
    samples = model.samples(7, "", SampleConfig(seed=11))
    first = next(samples)
    assert (first.index, first.seed) == (0, 11)
    assert [sample.index for sample in samples] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(OptionError, match="--count 0"):
        model.sample(0)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_length": 0},
        {"stop": ("",)},
        {"seed": -1},
    ],
)
def test_impossible_settings_are_refused_by_name(random_model, settings):
    option = next(iter(settings)).replace("_", "-")
    with pytest.raises(OptionError, match=f"--{option}"):
        random_model().sample(1, **settings)


@pytest.mark.parametrize("temperature", [1e-6, 1e-300, 100.0])
def test_extreme_temperatures_draw_legal_tokens(random_model, temperature):
    model = random_model()
    samples = model.sample(20, temperature=temperature, max_length=20)
    assert all(set(sample.text) <= set("abcdef") and np.isfinite(sample.logprob) for sample in samples)
    if temperature < 1:
        assert samples == [replace(s, index=i) for i, s in enumerate(model.sample(20, temperature=0, max_length=20))]


def test_threads_must_be_at_least_one(random_stored, tmp_path):
    write_model(tmp_path / "m.safetensors", random_stored())
    with pytest.raises(OptionError, match="--threads 0"):
        package.load(tmp_path / "m.safetensors", threads=0)


def test_tensors_that_do_not_fit_name_their_file(random_stored, tmp_path):
    stored = random_stored()
    del stored.tensors["output.bias"]
    write_model(tmp_path / "m.safetensors", stored)
    with pytest.raises(ModelFileError, match=r"m\.safetensors.*output\.bias"):
        package.load(tmp_path / "m.safetensors", threads=1)
