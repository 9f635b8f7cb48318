"""A run that was interrupted or killed, wherever it stood, ends in the same bytes as one that never was."""

from __future__ import annotations

import json
import os
import signal

import pytest

from gencli import training as training_module
from gencli.errors import ModelFileError, TrainingError
from gencli.model import load
from gencli.model_file import read_resume
from gencli.training import Training

LAST = 24  # steps of the short run; passes end after 8, 16 and 24, evaluations come at 10, 20 and 24


def to_the_end(run):
    """Train on; the model's bytes."""
    for _ in run.fit():
        pass
    return run.output.read_bytes()


def until(run, step):
    """Train until the interrupt that comes during this step."""
    learn = run.network.learn

    def learn_and_interrupt(*arguments):
        if run.progress.step + 1 == step:
            run.interrupt()
        return learn(*arguments)

    run.network.learn = learn_and_interrupt
    for _ in run.fit():
        pass
    assert run.progress.step == step
    return run


def resumed(run, threads=1):
    """The same run in a new process's shoes: all it knows it reads from the files."""
    return Training.resume([run.plan.source], run.output, threads)


@pytest.fixture
def expected(begin):
    """The bytes of the run that is never interrupted."""
    return to_the_end(begin(output="whole.safetensors"))


def test_the_short_run_has_the_steps_that_these_tests_assume(begin):
    run = begin()
    ends, passes = [], 0
    learn = run.network.learn

    def watch(*arguments):
        nonlocal passes
        if run.progress.epoch > passes:
            passes = run.progress.epoch
            ends.append(run.progress.step)
        return learn(*arguments)

    run.network.learn = watch
    to_the_end(run)
    assert ends == [8, 16]
    assert [entry["step"] for entry in run.progress.history] == [10, 20, LAST]


@pytest.mark.parametrize("step", range(1, LAST))
def test_interrupted_after_any_step_and_resumed_gives_the_same_bytes(begin, expected, step):
    run = until(begin(), step)
    assert not run.finished
    assert to_the_end(resumed(run)) == expected


def test_interrupted_in_the_last_step_it_is_finished(begin, expected):
    run = until(begin(), LAST)
    assert run.finished
    assert run.output.read_bytes() == expected
    assert not run.resume_path.exists()


@pytest.mark.parametrize("cell", ["rnn", "gru", "peephole-lstm"])
@pytest.mark.parametrize("step", [9, 10, 16])
def test_every_kind_of_state_is_carried_over(begin, cell, step):
    expected = to_the_end(begin(output="whole.safetensors", cell=cell))
    assert to_the_end(resumed(until(begin(cell=cell), step))) == expected


def test_a_stream_without_validation_resumes_too(begin):
    changes = {"documents": "stream", "val_fraction": 0.0}
    expected = to_the_end(begin(output="whole.safetensors", **changes))
    assert to_the_end(resumed(until(begin(**changes), 5))) == expected


def test_patience_is_remembered(begin):
    changes = {"epochs": 200.0, "hidden_size": 48, "dropout": 0.0, "lr": 0.02, "patience": 3}
    whole = begin(output="whole.safetensors", **changes)
    expected = to_the_end(whole)
    ended = whole.progress.step
    # One evaluation before the end, when it has waited for two already.
    assert to_the_end(resumed(until(begin(**changes), ended - 1))) == expected


def test_a_halved_learning_rate_is_remembered(begin):
    def poisoned(run):
        learn = run.network.learn

        def poison(*arguments):
            losses = learn(*arguments)
            if run.progress.step + 1 == 5:
                losses[0, 0] = float("nan")
            return losses

        run.network.learn = poison
        return run

    expected = to_the_end(poisoned(begin(output="whole.safetensors")))
    first = until(poisoned(begin()), 12)
    assert first.progress.rate_factor == 0.5
    assert to_the_end(resumed(first)) == expected


def test_a_run_that_began_with_a_model_resumes(begin):
    begun = begin(output="first.safetensors")
    to_the_end(begun)
    first = load(begun.output, 1)
    expected = to_the_end(begin(output="whole.safetensors", init_from=first, seed=2))
    assert to_the_end(resumed(until(begin(init_from=first, seed=2), 11))) == expected


@pytest.mark.parametrize("steps", [(3, 4), (8, 10), (10, 20), (1, 23)])
def test_twice_interrupted(begin, expected, steps):
    first = until(begin(), steps[0])
    second = until(resumed(first), steps[1])
    assert to_the_end(resumed(second)) == expected


@pytest.mark.parametrize("threads", [(1, 2), (2, 1), (3, 2)])
def test_resumed_with_another_number_of_threads(begin, expected, threads):
    run = until(begin(threads=threads[0]), 13)
    assert to_the_end(resumed(run, threads[1])) == expected


def test_an_interrupt_leaves_a_model_that_can_be_used(begin):
    for step in (3, 13):
        run = until(begin(output=f"{step}.safetensors"), step)
        model = load(run.output, 1)
        assert len(model.sample(3)) == 3
        assert len(model.info.history) == step // 10


def test_a_run_given_up_between_checkpoints_resumes_from_the_last(begin, expected, monkeypatch):
    # The generator is closed, as by a second Ctrl-C: nothing more is saved.
    monkeypatch.setattr(training_module, "CHECKPOINT_SECONDS", 0.0)
    run = begin()
    steps = run.fit()
    told = next(steps).step
    steps.close()
    settings, _ = read_resume(run.resume_path)
    assert settings["progress"]["step"] < told
    assert to_the_end(resumed(run)) == expected


def test_a_run_that_has_just_begun_can_be_resumed(begin, expected, monkeypatch):
    run = begin()

    def die(*_):
        raise KeyboardInterrupt

    run.network.learn = die
    with pytest.raises(KeyboardInterrupt):
        to_the_end(run)
    assert not run.output.exists()
    assert to_the_end(resumed(run)) == expected


# Trains with a checkpoint after every step and tells on stdout when each is saved. It dies by SIGKILL at the moment
# told: within write number n of a file (its data is in the temporary file, its name not yet), or before the resume
# file is taken away; or it stops to wait once a number of steps is saved, for the test to kill it from outside.
DRIVER = """
import json, os, signal, sys
from pathlib import Path
from gencli import files, training
from gencli.model import start_training
from gencli.choices import Choices
source, output, settings, moment, number = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

written = 0
def replace(path, target, replace=Path.replace):
    global written
    written += 1
    if moment == "write" and written == int(number):
        die()
    return replace(path, target)

def unlink(path, missing_ok=False, unlink=Path.unlink):
    if moment == "unlink" and path.name.endswith(".resume.safetensors"):
        die()
    return unlink(path, missing_ok)

def saved(path, plan, progress, *rest, write=training.write_checkpoint):
    write(path, plan, progress, *rest)
    print(progress.step, flush=True)
    if moment == "outside" and progress.step == int(number):
        sys.stdin.read()

Path.replace, Path.unlink = replace, unlink
training.CHECKPOINT_SECONDS, training.write_checkpoint = 0.0, saved
for step in start_training([source], Path(output), Choices(**json.loads(settings)), 2).fit():
    pass
print("end", flush=True)
"""


@pytest.fixture
def killed(begin, start):
    """Begins the run in a process of its own and lets it die; gives what can be resumed."""

    def call(moment, number, **changes):
        run = begin(**changes)  # never fitted here
        choices = json.dumps({key: value for key, value in vars(run.plan.choices).items() if value is not None})
        process = start(run.plan.source, run.output, choices, moment, number, program=DRIVER, stdin=-1)
        told = []
        for line in process.stdout:
            told.append(line.strip())
            if moment == "outside" and told[-1] == "5":
                os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr.read()
        assert "end" not in told
        return run

    return call


def test_killed_from_outside_and_resumed_gives_the_same_bytes(begin, killed, expected):
    # Between the fifth step, which is when the signal is sent, and the twentieth, after which the process waits.
    run = killed("outside", 20)
    settings, _ = read_resume(run.resume_path)
    assert 5 <= settings["progress"]["step"] <= 20
    assert not run.output.exists()
    assert to_the_end(resumed(run, 2)) == expected


# The first write is that of the checkpoint before step 1; the last but one that of the model.
@pytest.mark.parametrize("write", [2, 11, LAST, LAST + 1])
def test_killed_while_a_file_is_written_and_resumed_gives_the_same_bytes(killed, expected, write):
    run = killed("write", write)
    settings, _ = read_resume(run.resume_path)
    assert settings["progress"]["step"] == write - 2
    assert not run.output.exists()
    assert to_the_end(resumed(run)) == expected


def test_killed_between_the_model_and_the_end_resumes_to_the_same_bytes(killed, expected):
    run = killed("unlink", 0)
    assert run.output.read_bytes() == expected
    assert to_the_end(resumed(run)) == expected
    assert not run.resume_path.exists()


def test_killed_before_anything_was_saved_there_is_nothing_to_resume(killed):
    run = killed("write", 1)
    with pytest.raises(ModelFileError, match="nothing can be resumed; train without --resume"):
        resumed(run)


@pytest.mark.parametrize("change", ["one letter", "one name more", "order"])
def test_another_text_is_refused(begin, tmp_path, names_file, change):
    source = tmp_path / "names.txt"
    names = names_file.read_text().split()
    source.write_text("\n".join(names))
    run = until(begin(source), 5)
    files = {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")}
    other = {
        "one letter": [names[0][:-1] + "q", *names[1:]],
        "one name more": [*names, "Ada"],
        "order": names[::-1],
    }[change]
    source.write_text("\n".join(other))
    with pytest.raises(TrainingError) as caught:
        resumed(run)
    message = str(caught.value)
    assert message.startswith(f"{source}: not the text that {run.resume_path} began with")
    assert "train without --resume" in message
    assert "\n" not in message
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")} == files


def test_the_same_text_elsewhere_is_accepted(begin, tmp_path, names_file):
    run = until(begin(), 5)
    moved = tmp_path / "names.txt"
    moved.write_bytes(names_file.read_bytes())
    again = Training.resume([str(moved)], run.output, 1)
    assert again.progress.step == 5
    to_the_end(again)
    assert again.finished


def test_there_is_nothing_to_resume_before_and_after(begin):
    run = begin()
    for _ in range(2):
        with pytest.raises(ModelFileError) as caught:
            resumed(run)
        message = f"{run.resume_path}: not there, so nothing can be resumed; train without --resume"
        assert str(caught.value) == message
        if not run.finished:
            to_the_end(run)
    assert run.finished


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_damaged_resume_file_is_refused(begin, length):
    run = until(begin(), 5)
    whole = run.resume_path.read_bytes()
    run.resume_path.write_bytes(whole[:length])
    with pytest.raises(ModelFileError) as caught:
        resumed(run)
    assert str(run.resume_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_seconds_go_on_where_they_stopped(begin):
    run = until(begin(), 13)
    settings, _ = read_resume(run.resume_path)
    first = next(resumed(run).fit())
    assert first.step == 20
    assert first.seconds > settings["progress"]["seconds"] > 0
