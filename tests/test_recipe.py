"""The plan of a run: what the user said, what the corpus suggests, and what it will cost."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from gencli import estimate as estimating
from gencli.choices import Choices
from gencli.codecs.codec import UNK
from gencli.corpus import read_corpus
from gencli.defaults import PRESETS, SHORT_TABLE, TABLES, Defaults, defaults_for, of_cell, row_seconds
from gencli.errors import CorpusError, OptionError
from gencli.progress import Step
from gencli.recipe import document_hash, make_plan
from gencli.speed import learning_speed
from tests.reference import network as reference

GIVEN = {
    "cell": "gru",
    "hidden_size": 33,
    "layers": 3,
    "dropout": 0.25,
    "batch_size": 3,
    "seq_length": 9,
    "epochs": 4.5,
    "lr": 0.0123,
    "clip": 0.5,
    "clip_value": 0.125,
    "weight_decay": 0.04,
    "average": 2.5,
    "weight_dropout": 0.25,
    "input_dropout": 0.15,
    "embedding_size": 24,
    "patience": 7,
    "seed": 11,
    "max_steps": 99,
}
TABLED = {field.name for field in fields(Defaults)} - {"tokens", "more_dropout", "plain_rate"}


@pytest.fixture
def plan_of(names_file):
    """Lays a plan of the file of 40 names, or of another source, from choices."""

    def make(source=names_file, **choices):
        return make_plan([str(source)], Choices(**choices))

    return make


def settled(plan):
    """Every setting of a plan by its name in Choices."""
    return {**vars(plan.network), **vars(plan.train.optimizer), **vars(plan.train)}


def texts_of(plan, data):
    """The documents of a plan's data, decoded."""
    ends = data.lengths.cumsum()
    return [plan.codec.decode(data.ids[end - n : end]) for end, n in zip(ends, data.lengths, strict=True)]


@pytest.mark.parametrize("name", GIVEN)
def test_a_choice_overrides_the_table_and_nothing_else(plan_of, name):
    free, plan = settled(plan_of()), plan_of(**{name: GIVEN[name]})
    assert settled(plan)[name] == GIVEN[name] != free[name]
    others = {"batch_size": {"seq_length"}, "seq_length": {"batch_size"}}.get(name, set())  # they share the corpus
    ignored = {name, "optimizer"} | others
    assert {k: v for k, v in settled(plan).items() if k not in ignored} == {
        k: v for k, v in free.items() if k not in ignored
    }


def test_all_choices_together_hold(plan_of):
    plan = plan_of(**GIVEN, documents="line")
    assert {name: settled(plan)[name] for name in GIVEN} == GIVEN
    assert plan.chosen == ()
    assert plan.steps == min(99, math.ceil(4.5 * plan.steps_per_epoch))


@pytest.mark.parametrize("given", [set(), {"lr"}, {"hidden_size", "epochs"}, {"documents"}, TABLED])
def test_chosen_names_what_was_not_given(plan_of, given):
    choices = {name: {**GIVEN, "documents": "line"}[name] for name in given}
    assert sorted(plan_of(**choices).chosen) == sorted((TABLED | {"documents"}) - given)


@pytest.mark.parametrize("table", [SHORT_TABLE, *TABLES.values()])
def test_a_table_rises_and_its_last_row_holds_anything(table):
    sizes = [row.tokens for row in table]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == math.inf


def test_presets_scale_the_work_and_medium_is_the_row():
    small, medium, large = (defaults_for("char", "stream", 1_000_000, preset=name) for name in PRESETS)
    assert medium in TABLES["char"]
    assert small.hidden_size < medium.hidden_size < large.hidden_size
    assert small.epochs < medium.epochs < large.epochs
    assert small.dropout < medium.dropout < large.dropout
    seconds = [row_seconds(row, 1_000_000) for row in (small, medium, large)]
    assert 2 < seconds[1] / seconds[0] < 6
    assert 2 < seconds[2] / seconds[1] < 6


def test_more_minutes_call_for_a_larger_network_and_those_of_a_row_for_the_row():
    rows = [defaults_for("char", "stream", 1_000_000, minutes) for minutes in (0.05, 0.2, 1.0, 10.0, 1000.0)]
    sizes = [row.hidden_size for row in rows]
    assert sizes == sorted(set(sizes))
    assert all(64 <= size <= 1024 and size % 32 == 0 for size in sizes)
    assert all(0.0 <= row.dropout <= 0.7 for row in rows)
    plain = defaults_for("char", "line", 200_000)
    assert defaults_for("char", "line", 200_000, row_seconds(plain, 200_000) / 60) == plain


def test_a_small_corpus_gets_no_network_that_only_learns_it_by_heart():
    few, many = (defaults_for("char", "line", tokens, 60.0) for tokens in (11_000, 900_000))
    assert few == defaults_for("char", "line", 11_000, preset="large")
    assert many.hidden_size > 2 * few.hidden_size


def test_minutes_hold_more_on_a_faster_processor():
    slow, fast = (defaults_for("char", "stream", 1_000_000, 1.0, speed=speed) for speed in (1e10, 4e10))
    assert slow.hidden_size < fast.hidden_size
    assert fast.epochs == pytest.approx(2 * slow.epochs, rel=0.1)


def test_a_budget_of_minutes_is_weighed_against_this_processors_speed(plan_of, monkeypatch):
    asked = []
    monkeypatch.setattr("gencli.recipe.learning_speed", lambda halved: asked.append(halved) or 1e6)
    slow = plan_of(minutes=0.5, precision="float32")
    monkeypatch.setattr("gencli.recipe.learning_speed", lambda halved: 1e12)
    assert plan_of(minutes=0.5).network.hidden_size > slow.network.hidden_size
    plan_of()  # nothing is measured without a budget
    assert asked == [False]


def test_the_speed_found_is_that_of_some_processor():
    # A hundredth of the slowest in use, a hundred times the fastest.
    assert 1e8 < learning_speed(halved=False) < 1e13


def test_another_cell_than_a_rows_normalised_one_learns_at_a_lower_rate():
    row = defaults_for("char", "stream", 1_000_000)
    assert row.cell == "rms-lstm"
    assert of_cell(row, None) == of_cell(row, "rms-lstm") == row
    assert of_cell(row, "gru") == replace(row, lr=0.015)
    assert of_cell(SHORT_TABLE[0], "rms-lstm") == of_cell(SHORT_TABLE[0], "gru") == SHORT_TABLE[0]


@pytest.mark.parametrize("level", ["word", "music"])
def test_words_and_tunes_keep_a_rows_sizes_whatever_the_minutes(level):
    assert defaults_for(level, "line", 50_000, 30.0) == defaults_for(level, "line", 50_000)


@pytest.mark.parametrize("number", range(3))
def test_the_row_is_that_of_the_corpus_size(tmp_path, number):
    # One token above the row before, and the most that the row holds: 9 letters and <EOS> a line.
    least = SHORT_TABLE[number - 1].tokens + 10 if number else 1000
    for tokens in (least, SHORT_TABLE[number].tokens):
        path = tmp_path / "names.txt"
        path.write_text("".join(f"n{n:08d}\n" for n in range(int(tokens) // 10)))
        plan = make_plan([str(path)], Choices(val_fraction=0.0))
        assert plan.train_tokens == tokens
        row = SHORT_TABLE[number]
        found = (plan.network.hidden_size, plan.network.layers, plan.network.dropout, plan.train.epochs)
        assert found == (row.hidden_size, row.layers, row.dropout, row.epochs)
        assert plan.train.optimizer.lr == row.lr


def test_a_small_corpus_shrinks_the_batch_whoever_chose_it(plan_of, tmp_path):
    tiny = tmp_path / "tiny.txt"
    tiny.write_text("ab\nba\nabc\n")
    for choices in ({}, {"batch_size": 64, "seq_length": 64}):
        plan = plan_of(tiny, val_fraction=0.0, **choices)
        assert (plan.train.batch_size, plan.train.seq_length) == (1, 10)
        assert plan.steps_per_epoch == 1
    plan = plan_of(batch_size=64, seq_length=16)
    assert plan.train.batch_size == plan.train_tokens // 16 < 64
    assert plan.train.seq_length == 16


def test_a_tenth_is_held_out_and_no_document_is_on_both_sides(plan_of, names_file):
    plan = plan_of()
    assert (plan.train_documents, plan.valid_documents) == (36, 4)
    training = texts_of(plan, plan.train_data)
    held_out = [name for name in names_file.read_text().split() if name not in training]
    assert len(set(training)) == 36
    assert [len(name) + 1 for name in held_out] == plan.valid_data.lengths.tolist()
    assert texts_of(plan, plan.valid_data) == [plan.codec.decode(plan.codec.encode(name)) for name in held_out]
    assert plan.train_tokens == sum(map(len, training)) + 36


def test_the_share_held_out_follows_the_choice_and_the_seed(plan_of):
    assert plan_of(val_fraction=0.25).valid_documents == 10
    nothing = plan_of(val_fraction=0.0)
    assert (nothing.train_documents, nothing.valid_documents, nothing.valid_tokens) == (40, 0, 0)
    sides = {tuple(texts_of(plan, plan.valid_data)) for plan in (plan_of(seed=seed) for seed in range(1, 6))}
    assert len(sides) == 5


def test_a_large_corpus_holds_out_less_than_a_tenth(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("".join(f"{n:099d}\n" for n in range(41_000)))  # 99 characters a line
    plan = make_plan([str(path)], Choices())
    assert plan.valid_documents * 99 == pytest.approx(200_000, rel=0.01)


def test_a_file_of_validation_documents_leaves_the_corpus_whole(plan_of, tmp_path):
    other = tmp_path / "valid.txt"
    other.write_text("Zzyzx\n")
    plan = plan_of(valid=str(other))
    assert (plan.train_documents, plan.valid_documents, plan.valid_tokens) == (40, 1, 6)
    assert "Z" in plan.codec.unknown("Zzyzx")  # the vocabulary is that of the training documents
    assert UNK in plan.valid_data.ids
    assert document_hash("Zzyzx") not in plan.hashes


def test_held_out_symbols_do_not_enter_the_vocabulary(tmp_path):
    # Each line has a letter of its own, so that those held out are unknown.
    path = tmp_path / "letters.txt"
    path.write_text("".join(f"{chr(0x4E00 + n)} is one\n" for n in range(20)))
    plan = make_plan([str(path)], Choices(val_fraction=0.25))
    assert [ids.count(UNK) for ids in ([*plan.train_data.ids], [*plan.valid_data.ids])] == [0, 5]


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"valid": "names.txt", "val_fraction": 0.1}, "--valid and --val-fraction"),
        ({"val_fraction": 1.0}, "--val-fraction 1.0"),
        ({"val_fraction": -0.1}, "--val-fraction -0.1"),
        ({"val_fraction": math.nan}, "--val-fraction nan"),
        ({"seed": -1}, "--seed -1"),
        ({"seed": 2**63}, "--seed 9223372036854775808"),
        ({"hidden_size": 0}, "--hidden-size 0"),
        ({"hidden_size": 8193}, "--hidden-size 8193"),
        ({"layers": 0}, "--layers 0"),
        ({"dropout": 1.0}, "--dropout 1.0"),
        ({"dropout": math.nan}, "--dropout nan"),
        ({"cell": "transformer"}, "--cell transformer"),
        ({"level": "word?"}, "--level word?"),
        ({"documents": "poem"}, "--documents poem"),
        ({"activation": "relu"}, "--activation relu"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"seq_length": 0}, "--seq-length 0"),
        ({"epochs": 0.0}, "--epochs 0.0"),
        ({"epochs": math.inf}, "--epochs inf"),
        ({"minutes": 0.0}, "--minutes 0.0"),
        ({"max_steps": 0}, "--max-steps 0"),
        ({"lr": 0.0}, "--lr 0.0"),
        ({"lr": math.nan}, "--lr nan"),
        ({"clip": -1.0}, "--clip -1.0"),
        ({"clip_value": math.nan}, "--clip-value nan"),
        ({"weight_decay": 1.0}, "--weight-decay 1.0"),
        ({"patience": -1}, "--patience -1"),
        ({"min_count": 0}, "--min-count 0"),
        ({"min_count": 10**9}, "--min-count 1000000000"),
        ({"encoding": "klingon"}, "--encoding klingon"),
    ],
)
def test_impossible_choices_are_refused_by_name_in_one_line(plan_of, names_file, choices, told, monkeypatch):
    monkeypatch.chdir(names_file.parent)
    with pytest.raises(OptionError) as caught:
        plan_of(**choices)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_validation_file_is_refused(plan_of, tmp_path):
    with pytest.raises(CorpusError, match=r"none\.txt"):
        plan_of(valid=str(tmp_path / "none.txt"))


def test_a_plan_is_the_same_twice_and_its_fingerprint_tells_data_apart(plan_of):
    assert plan_of().fingerprint == plan_of(hidden_size=99).fingerprint
    others = [plan_of(seed=2), plan_of(val_fraction=0.0), plan_of(documents="stream"), plan_of(min_count=5)]
    assert len({plan.fingerprint for plan in [plan_of(), *others]}) == 5


def test_a_stream_knows_no_documents_to_be_novel_from(plan_of):
    assert len(plan_of(documents="stream").hashes) == 0
    plan = plan_of()
    names = [document.text for document in read_corpus([plan.source]).documents]
    assert plan.hashes.tolist() == sorted(document_hash(name) for name in names)


def test_steps_are_those_of_epochs_and_max_steps_whichever_are_fewer(plan_of):
    plan = plan_of(batch_size=4, seq_length=16, epochs=3.0)
    assert plan.steps_per_epoch == math.ceil(plan.train_tokens / 64)
    assert plan.steps == 3 * plan.steps_per_epoch
    assert plan_of(batch_size=4, seq_length=16, epochs=3.0, max_steps=5).steps == 5
    assert plan_of(batch_size=4, seq_length=16, epochs=3.0, max_steps=500).steps == plan.steps
    assert plan_of(minutes=1.0).steps is None
    assert plan_of(minutes=1.0, max_steps=5).steps == 5


@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("gru", 2), ("peephole-lstm", 3)])
def test_an_estimate_counts_parameters_and_reckons_time(plan_of, monkeypatch, tmp_path, cell, layers):
    monkeypatch.setattr(estimating, "TRIAL_SECONDS", 0.01)
    monkeypatch.chdir(tmp_path)
    plan = plan_of(cell=cell, layers=layers, hidden_size=21, epochs=500.0, embedding_size=0)
    cost = estimating.estimate(plan, threads=1)
    shapes = (cell, plan.codec.vocabulary_size, 21, layers)
    expected = sum(array.size for array in reference.random_parameters(np.random.default_rng(0), *shapes).values())
    assert cost.parameters == expected
    assert cost.memory_bytes > 4 * 7 * expected  # weights, gradient, two moments, average, the best, the transposed
    assert cost.seconds > 0
    assert cost.compile_seconds >= 0
    assert list(tmp_path.iterdir()) == []  # nothing is saved


def test_an_estimate_of_a_time_budget_is_the_budget(plan_of, monkeypatch):
    monkeypatch.setattr(estimating, "TRIAL_SECONDS", 0.01)
    assert estimating.estimate(plan_of(hidden_size=8, minutes=2.0), threads=1).seconds == 120.0


def test_an_estimate_grows_with_the_epochs_and_is_bounded_by_the_steps(plan_of, monkeypatch):
    # The speed of the trial is held still, so that only the reckoning is compared.
    monkeypatch.setattr(estimating.Training, "fit", _steady)
    plan = plan_of(hidden_size=8, epochs=100.0)
    once = estimating.estimate(plan, threads=1).seconds
    assert once == pytest.approx(100.0 * plan.train_tokens / 1000)
    twice = estimating.estimate(replace(plan, train=replace(plan.train, epochs=200.0)), threads=1).seconds
    assert twice == pytest.approx(2 * once)
    few = replace(plan, train=replace(plan.train, max_steps=3))
    window = plan.train.batch_size * plan.train.seq_length
    assert estimating.estimate(few, threads=1).seconds == pytest.approx(3 * window / 1000)


def _steady(run):
    """A trial of 1,000 tokens a second."""
    yield Step(10, 1.0, 2.0, 2000, 1.0, 0.1, 1.0, 1000.0, 0.1, compile_seconds=0.5)
    run.network.team.close()
