"""Training: the records it yields, when it ends, what it keeps, and what it does when numbers run away."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from gencli import progress as progress_module
from gencli import training as training_module
from gencli.errors import OptionError, TrainingError
from gencli.evaluation import evaluate
from gencli.kernels.compile import CompileClock
from gencli.model import Model, load
from gencli.model_file import read_model
from tests.reference import schedule

LAST = 24  # steps of the short run
EVALUATIONS = [10, 20, LAST]


@pytest.fixture
def every_step(monkeypatch):
    """Has a record yielded after each step."""
    monkeypatch.setattr(progress_module, "RECORD_SECONDS", -1.0)


def fitted(run):
    """The run, trained to its end."""
    for _ in run.fit():
        pass
    return run


def held_out(run):
    """The validation documents of a run whose vocabulary covers them."""
    data = run.plan.valid_data
    return [run.plan.codec.decode(ids) for ids in np.split(data.ids, data.lengths.cumsum()[:-1])]


def nats_per_token(model, texts):
    """The mean loss that scoring finds."""
    scores = list(model.scores(texts))
    return -sum(score.logprob for score in scores) / sum(score.tokens for score in scores)


def test_a_run_yields_records_that_count_up_to_its_end(begin, every_step):
    run = begin()
    steps = list(run.fit())
    assert [step.step for step in steps] == list(range(1, LAST + 1))
    for name in ("tokens", "epoch", "progress"):
        values = [getattr(step, name) for step in steps]
        assert all(a < b for a, b in pairwise(values)), name
    seconds = [step.seconds for step in steps]
    assert seconds == sorted(seconds)
    assert (steps[-1].tokens, steps[-1].epoch, steps[-1].progress) == (3 * run.plan.train_tokens, 3.0, 1.0)
    assert steps[0].compile_seconds >= 0
    assert {step.compile_seconds for step in steps[1:]} == {None}
    assert all(step.gradient_norm > 0 and step.tokens_per_second > 0 for step in steps)
    assert {step.event for step in steps} == {None}


def test_evaluations_bring_a_validation_loss_and_some_of_them_samples(begin, every_step):
    run = begin()
    steps = list(run.fit())
    assert [step.step for step in steps if step.valid_loss is not None] == EVALUATIONS
    assert {step.step for step in steps if step.samples} <= set(EVALUATIONS)
    assert all(isinstance(text, str) for step in steps for text in step.samples)
    assert len(steps[-1].samples) == 3
    history = run.progress.history
    assert [entry["step"] for entry in history] == EVALUATIONS
    assert [entry["valid_loss"] for entry in history] == [s.valid_loss for s in steps if s.valid_loss is not None]


@pytest.mark.parametrize(("every", "sampled"), [(0, []), (1, EVALUATIONS), (2, [20]), (3, [LAST])])
def test_samples_come_as_often_as_asked(begin, every, sampled):
    steps = list(begin(sample_every=every).fit())
    assert [step.step for step in steps if step.samples] == sampled


def test_losses_are_means_over_tokens_since_the_evaluation_or_the_record_before(begin, every_step):
    run = begin()
    steps = list(run.fit())
    tokens = np.diff([0, *[step.tokens for step in steps]])
    losses = np.array([step.train_loss for step in steps])
    for first, last, entry in zip([0, 10, 20], EVALUATIONS, run.progress.history, strict=True):
        assert losses[last - 1] == entry["train_loss"]
        others = slice(first, last - 1)
        told = float(losses[others] @ tokens[others])
        of_last_step = (entry["train_loss"] * tokens[first:last].sum() - told) / tokens[last - 1]
        assert of_last_step == pytest.approx(
            losses[last - 2], rel=0.3
        )  # what the mean leaves for it: like its neighbour
    # Before anything is learned, every symbol is about as likely as any other.
    assert losses[0] == pytest.approx(math.log(run.plan.network.vocabulary_size), rel=0.2)


def test_the_learning_rate_follows_the_twins_schedule(begin, every_step):
    steps = list(begin().fit())
    before = [0.0, *[step.progress for step in steps[:-1]]]
    for done, step in zip(before, steps, strict=True):
        assert step.learning_rate == pytest.approx(schedule.learning_rate(done, 1.0, 0.01, 0.05, 0.02), rel=1e-9)


def test_reporting_changes_nothing_in_the_model(begin, monkeypatch):
    quiet = fitted(begin(output="quiet.safetensors", sample_every=0))
    monkeypatch.setattr(progress_module, "RECORD_SECONDS", -1.0)
    monkeypatch.setattr(training_module, "CHECKPOINT_SECONDS", 0.0)
    busy = fitted(begin(output="busy.safetensors", sample_every=1))
    assert quiet.output.read_bytes() == busy.output.read_bytes()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_one_two_and_three_threads_give_the_same_file(begin, cell):
    files = [fitted(begin(output=f"{n}.safetensors", threads=n, cell=cell)).output.read_bytes() for n in (1, 2, 3)]
    assert files[0] == files[1] == files[2]


def test_another_seed_gives_another_model(begin):
    one, other = (read_model(fitted(begin(seed=seed)).output).tensors["output.bias"] for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_training_learns(begin, names_file):
    run = fitted(begin(epochs=30.0, hidden_size=32, val_fraction=0.0, dropout=0.0, weight_dropout=0.0, average=0.0))
    # The names by heart: far below 2.5 nats, about what letter frequencies alone give.
    assert nats_per_token(load(run.output, 1), names_file.read_text().split()) < 1.5


def test_the_weights_of_the_best_evaluation_are_kept(begin):
    run = fitted(begin(epochs=40.0, hidden_size=48, dropout=0.0, lr=0.02))
    losses = [entry["valid_loss"] for entry in run.progress.history]
    assert losses.index(min(losses)) < len(losses) - 1, "the case does not exercise it: the last is the best"
    assert min(losses) + 0.1 < losses[-1]
    model = load(run.output, 1)
    assert run.best_loss == model.info.valid_loss == min(losses)
    assert model.info.history == run.progress.history
    # Documents with characters that the vocabulary lacks decode to others, so they are scored as encoded.
    texts = held_out(run)
    assert nats_per_token(model, texts) == pytest.approx(min(losses), rel=1e-5)


def test_without_validation_the_last_averages_are_kept(begin):
    run = fitted(begin(val_fraction=0.0))
    assert run.best_loss is None
    assert [entry["valid_loss"] for entry in run.progress.history] == [None] * len(run.progress.history)
    stored = read_model(run.output)
    assert stored.info.valid_loss is None
    for name, array in run.network.layout.plain(run.optimizer.averaged).items():
        np.testing.assert_array_equal(stored.tensors[name], array, err_msg=name)


def test_the_model_file_tells_what_was_learned_from(begin, names_file):
    info = read_model(fitted(begin()).output).info
    assert (info.name, info.source, info.documents, info.seed) == ("names", str(names_file), "line", 1)
    assert (info.train_documents, info.valid_documents) == (36, 4)
    assert 0.8 < info.train_tokens / sum(len(name) + 1 for name in names_file.read_text().split()) < 0.98
    assert info.train.epochs == 3.0


def test_nothing_is_left_beside_the_model(begin, tmp_path):
    run = fitted(begin())
    assert run.finished
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 22])
def test_max_steps_ends_training_and_anneals_to_its_end(begin, every_step, count):
    steps = list(begin(max_steps=count).fit())
    assert [step.step for step in steps] == list(range(1, count + 1))
    assert steps[-1].progress == 1.0
    assert steps[-1].valid_loss is not None
    expected = schedule.learning_rate(count - 1, count, 0.01, 0.05 * count, 0.02)
    assert steps[-1].learning_rate == pytest.approx(expected, rel=1e-9)


def test_max_steps_beyond_the_epochs_changes_nothing(begin):
    plain, bounded = fitted(begin()), fitted(begin(output="b.safetensors", max_steps=1000))
    np.testing.assert_array_equal(plain.network.flat, bounded.network.flat)


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_training_when_the_loss_stays(begin, patience):
    run = fitted(begin(epochs=200.0, hidden_size=48, dropout=0.0, lr=0.02, patience=patience))
    losses = [entry["valid_loss"] for entry in run.progress.history]
    best = losses.index(min(losses))
    assert len(losses) - 1 - best == patience
    # It has not waited that long before.
    stale = [n - losses.index(min(losses[: n + 1])) for n in range(len(losses))]
    assert max(stale[:-1], default=0) < patience
    assert run.finished
    assert run.share_done() < 1.0
    assert not run.resume_path.exists()


def test_a_target_ends_training_at_the_first_evaluation_that_reaches_it(begin):
    losses = [entry["valid_loss"] for entry in fitted(begin()).progress.history]
    target = sorted(losses)[len(losses) // 2]
    reached = next(n for n, loss in enumerate(losses) if loss <= target)
    assert reached < len(losses) - 1
    run = fitted(begin(output="b.safetensors", target=target))
    assert [entry["valid_loss"] for entry in run.progress.history] == losses[: reached + 1]
    assert run.finished
    assert run.share_done() < 1.0


def test_what_is_evaluated_and_kept_are_the_averaged_weights(begin, every_step):
    run = begin(average=2.0, max_steps=20)
    for step in run.fit():
        if step.valid_loss is not None and step.step < 20:
            np.testing.assert_array_equal(run.best, run.optimizer.averaged)
            assert (run.best != run.network.flat).any()
            assert step.valid_loss == evaluate(run.network.reader(run.best), run.plan.valid_data, run.plan)


@pytest.mark.parametrize(
    ("averages_win", "choices"),
    [(False, {"max_steps": 5}), (True, {"epochs": 40.0, "hidden_size": 48, "dropout": 0.0, "lr": 0.02})],
    ids=["after few steps averages lag behind", "known by heart"],
)
def test_at_the_end_the_better_of_averages_and_last_weights_are_kept(begin, every_step, averages_win, choices):
    run = fitted(begin(average=2.0, **choices))
    flats = (run.optimizer.averaged, run.network.flat)
    losses = [evaluate(run.network.reader(flat), run.plan.valid_data, run.plan) for flat in flats]
    assert (losses[0] < losses[1]) is averages_win
    assert run.progress.history[-1]["valid_loss"] == min(losses)
    if run.best_loss == min(losses):
        np.testing.assert_array_equal(run.best, flats[losses.index(min(losses))])


def test_a_budget_of_minutes_counts_what_came_before_training(begin, ticking):
    run = begin(minutes=2.0, epochs=None)
    run.lead = 60.0
    last = list(run.fit())[-1]
    assert 50 < last.seconds < 66


class Ticking:
    """A clock that goes on by `tick` seconds each time it is read."""

    def __init__(self, tick):
        self.now, self.tick = 100.0, tick

    def perf_counter(self):
        """The time, which then goes on."""
        self.now += self.tick
        return self.now


class NoCompiling(CompileClock):
    """Counts no seconds: a real clock must not be mixed with a false one."""

    def on_end(self, event):
        """Nothing is added."""


@pytest.fixture
def ticking(monkeypatch, every_step):
    """Replaces the clock of training."""
    clock = Ticking(0.5)
    monkeypatch.setattr(training_module, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(training_module, "CompileClock", NoCompiling)
    return clock


@pytest.mark.parametrize("minutes", [0.5, 2.0])
def test_minutes_end_training_and_the_schedule_anneals_to_them(begin, ticking, minutes):
    run = begin(minutes=minutes, epochs=None)
    steps = list(run.fit())
    assert steps[-1].progress == 1.0
    assert steps[-1].valid_loss is not None
    # The last evaluation and what is read of the clock at a step's end come on top.
    assert 0.9 * 60 * minutes < steps[-1].seconds < 60 * minutes + 5
    rates = [step.learning_rate for step in steps]
    peak = rates.index(max(rates))
    assert rates[peak] > 0.009
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.1 * rates[peak]


def test_minutes_leave_room_for_the_last_evaluation(begin, ticking, monkeypatch):

    ticking.tick = 0.1

    def slow(*arguments):
        ticking.now += 3.0
        return evaluate(*arguments)

    monkeypatch.setattr(training_module, "evaluate", slow)
    steps = list(begin(minutes=2.0, epochs=None).fit())
    assert sum(step.valid_loss is not None for step in steps) >= 2
    assert 116 < steps[-1].seconds < 123.6  # 126 and more if the last evaluation, of two sets of weights, came on top


@pytest.mark.parametrize("settings", [{"epochs": 40.0}, {"epochs": None, "minutes": 3.0}], ids=["epochs", "minutes"])
def test_after_ten_seconds_the_time_left_is_foretold_within_a_fifth(begin, ticking, monkeypatch, settings):
    ticking.tick = 0.05

    def slow(*arguments):
        ticking.now += 0.5
        return evaluate(*arguments)

    monkeypatch.setattr(training_module, "evaluate", slow)
    steps = list(begin(**settings).fit())
    total = steps[-1].seconds
    assert total > 30
    foretold = [step.seconds + step.seconds_left for step in steps if step.seconds > 10]
    assert all(0.8 * total < whole < 1.2 * total for whole in foretold)
    assert steps[-1].seconds_left == 0


def test_minutes_are_bounded_by_max_steps(begin, ticking):
    steps = list(begin(minutes=10.0, epochs=None, max_steps=7).fit())
    assert steps[-1].step == 7


@pytest.mark.parametrize("fraction", [None, 0.0])
@pytest.mark.parametrize("cell", ["lstm", "simple-gru"])
def test_two_documents_are_enough(begin, tmp_path, fraction, cell):
    source = tmp_path / "two.txt"
    source.write_text("ab\nba\n")
    run = fitted(begin(source, cell=cell, val_fraction=fraction, epochs=5.0))
    model = load(run.output, 1)
    assert (model.info.train_documents, model.info.valid_documents) == ((1, 1) if fraction is None else (2, 0))
    assert all(set(sample.text) <= {"a", "b"} for sample in model.sample(20, max_length=20))


def test_default_settings_train_fifty_names_and_two(begin, tmp_path):
    for count in (2, 50):
        source = tmp_path / "few.txt"
        source.write_text("".join(f"{'bcdfg'[n % 5]}{'aeiou'[n // 5 % 5]}{'lmnr'[n // 25]}o\n" for n in range(count)))
        table = dict.fromkeys(("hidden_size", "layers", "batch_size", "seq_length", "epochs", "dropout", "lr"))
        run = fitted(begin(source, output=f"{count}.safetensors", **table))
        assert math.isfinite(run.best_loss)
        assert load(run.output, 1).info.train_documents == (1 if count == 2 else 45)


def test_a_stream_is_learned_across_its_lines_and_never_ended(begin, tmp_path):
    source = tmp_path / "stream.txt"
    source.write_text("one two three, and so on\n" * 60)
    run = fitted(begin(source, documents="stream", epochs=40.0, hidden_size=24, dropout=0.0, lr=0.02))
    model = load(run.output, 1)
    assert model.info.documents == "stream"
    assert not model.writes_ends
    assert run.best_loss < 0.7
    (sample,) = model.sample(1, "one two three", temperature=0, max_length=40)
    assert "\n" in sample.text
    assert sample.finish == "length"
    assert dict(model.next("one two", 100))["<EOS>"] < 0.05


def test_a_stream_resets_nothing_inside(begin, tmp_path):
    source = tmp_path / "stream.txt"
    source.write_text("one two three, and so on\n" * 60)
    run = begin(source, documents="stream", batch_size=1)
    assert sum(run._rows().batch(window).starts.sum() for window in range(len(run._rows()))) == 1


def poison(run, at, what="loss"):
    """Have the numbers leave the finite ones at these steps, counted from 1."""
    learn, calls = run.network.learn, []

    def poisoned(*arguments, **named):
        losses = learn(*arguments, **named)
        calls.append(len(calls) + 1)
        if calls[-1] in at:
            (losses if what == "loss" else run.network.gradient).flat[0] = math.nan if what == "loss" else math.inf
        return losses

    run.network.learn = poisoned


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_goes_back_to_the_best_weights_at_half_the_rate(begin, every_step, what):
    run = begin()
    poison(run, {15}, what)
    best = None
    for step in run.fit():
        if step.step == 10:
            best = run.best.copy()
            np.testing.assert_array_equal(best, run.optimizer.averaged)
        if step.step == 15:
            assert "not finite" in step.event
            assert "0.005" in step.event
            np.testing.assert_array_equal(run.network.flat, best)
            assert not run.optimizer.mean.any()
            assert not run.state.hidden.any()
        elif step.step > 15:
            assert step.event is None
            assert step.learning_rate <= 0.005
            assert math.isfinite(step.train_loss)
    assert run.finished
    assert run.progress.rate_factor == 0.5
    assert math.isfinite(nats_per_token(load(run.output, 1), ["Ada", "Bea"]))


def test_a_recovery_before_the_first_evaluation_goes_back_to_the_beginning(begin, every_step):
    run = begin()
    beginning = run.network.flat.copy()
    poison(run, {4})
    for step in run.fit():
        if step.step == 4:
            np.testing.assert_array_equal(run.network.flat, beginning)
    assert run.finished


def test_the_backward_weights_are_packed_anew_after_a_recovery(begin, every_step):
    # The pass after a recovery must use the restored weights in both directions: its gradient is that of a network
    # freshly loaded with them.
    run = begin(dropout=0.0)
    poison(run, {15})
    for step in run.fit():
        if step.step == 15:
            break
    batch = run._rows().batch(run.progress.window)
    run.network.learn(batch, run.network.state(4), key=0)
    found = run.network.gradient.copy()
    fresh = begin(dropout=0.0)
    fresh.network.load(run.network.tensors())
    fresh.network.learn(batch, fresh.network.state(4), key=0)
    np.testing.assert_array_equal(found, fresh.network.gradient)


def test_after_three_such_times_training_gives_up_and_keeps_the_best(begin, every_step):
    run = begin()
    poison(run, range(12, 1000))
    steps = run.fit()
    while next(steps).step < 10:
        pass
    best = run.network.layout.plain(run.best)
    told = [next(steps).event for _ in range(4)]
    assert told[0] is None
    assert all("not finite" in event for event in told[1:])
    with pytest.raises(TrainingError) as caught:
        next(steps)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(run.plan.source))
    assert "--lr 0.001" in message
    stored = read_model(run.output)
    for name, array in best.items():
        np.testing.assert_array_equal(stored.tensors[name], array, err_msg=name)
    assert math.isfinite(nats_per_token(Model(stored, 1), ["Ada", "Bea"]))


def test_giving_up_before_any_evaluation_leaves_a_usable_model(begin):
    run = begin()
    poison(run, range(1, 1000))
    with pytest.raises(TrainingError, match="left the finite numbers"):
        fitted(run)
    assert math.isfinite(nats_per_token(load(run.output, 1), ["Ada", "Bea"]))


@pytest.mark.parametrize("fraction", [None, 0.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rate_beyond_reason_leaves_a_usable_model(begin, seed, fraction):
    # Unbounded units and steps of 10 to each weight: the numbers run away by themselves.
    shape = {"cell": "rnn", "activation": "relu", "hidden_size": 64, "layers": 1, "seq_length": 128}
    run = begin(**shape, documents="stream", lr=10.0, clip=0.0, epochs=20.0, seed=seed, val_fraction=fraction)
    with pytest.raises(TrainingError, match="--lr 1"):
        fitted(run)
    assert math.isfinite(nats_per_token(load(run.output, 1), ["Ada", "Bea"]))


def test_an_evaluation_that_is_not_finite_is_never_the_best(begin, monkeypatch):
    losses = []

    def first_bad(*arguments):
        losses.append(math.nan if not losses else evaluate(*arguments))
        return losses[-1]

    monkeypatch.setattr(training_module, "evaluate", first_bad)
    run = fitted(begin())
    assert len(losses) > 2
    assert run.best_loss == min(losses[1:])
    assert read_model(run.output).info.valid_loss == min(losses[1:])


def test_a_run_may_begin_with_a_models_weights_and_vocabulary(begin, tmp_path):
    first = load(fitted(begin(output="first.safetensors")).output, 1)
    source = tmp_path / "others.txt"
    source.write_text("".join(f"{name}\n" for name in ("Aran", "Brana", "Caran!", "Dana", "Eranu", "Fara", "Gara")))
    run = begin(source, init_from=first, hidden_size=None, layers=None, dropout=None)
    for name, array in first.stored.tensors.items():
        np.testing.assert_array_equal(run.network.tensors()[name], array, err_msg=name)
    assert run.plan.codec.state() == first.codec.state()
    assert first.unknown("!") == ["!"]
    fitted(run)
    second = load(run.output, 1)
    assert second.info.name == "others"
    assert second.codec.state() == first.codec.state()
    assert second.stored.network == first.stored.network
    assert second.stored.tensors["output.bias"].tobytes() != first.stored.tensors["output.bias"].tobytes()
    assert not second.is_novel("Aran")


@pytest.mark.parametrize("other", [{"cell": "gru"}, {"hidden_size": 9}, {"layers": 1}])
def test_a_shape_other_than_the_models_is_refused(begin, other):
    first = load(fitted(begin(output="first.safetensors")).output, 1)
    option = next(iter(other)).replace("_", "-")
    with pytest.raises(OptionError, match=f"--{option}"):
        begin(init_from=first, **other)


def test_a_dropout_asked_for_is_not_forgotten_when_beginning_with_a_model(begin):
    first = load(fitted(begin(output="first.safetensors")).output, 1)
    assert begin(init_from=first, dropout=0.5).plan.network.dropout == 0.5


def test_training_prints_nothing(begin, capfd):
    fitted(begin(threads=2))
    assert capfd.readouterr() == ("", "")


def test_a_plan_is_trained_without_saving_where_nothing_is_to_be_kept(begin, tmp_path):
    plan = begin().plan
    run = training_module.Training(replace(plan), tmp_path / "none.safetensors", 1, save=False)
    fitted(run)
    assert run.finished
    assert list(tmp_path.iterdir()) == []
