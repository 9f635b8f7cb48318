"""`gencli score` amid a pipe: answers at once, every line, bounded memory, slow readers and such as leave."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from gencli.model import load
from tests.conftest import NAMES

COUNT = 100_000
AHEAD = 1 << 20  # bytes that may be on their way: two pipes, one reading and its answers take less than half of it
GROWTH = 32 << 10  # kB of memory: the scores of all lines together would take four times that


def line(number):
    """One of many distinct lines, about 60 characters long."""
    return f"{number:06} {NAMES[number % 60]} {NAMES[number % 59]} {NAMES[number % 53]} {NAMES[number % 47]}"


class Writer(threading.Thread):
    """Writes lines to a process as fast as it takes them; `written` counts the bytes, `broken` says it left."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.written, self.broken = process, 0, False

    def run(self):
        """Write, then close."""
        try:
            for begin in range(0, COUNT, 100):
                data = "".join(f"{line(number)}\n" for number in range(begin, begin + 100)).encode()
                while data:  # past Python's own buffers, so that nothing is left in them
                    taken = os.write(self.process.stdin.fileno(), data)
                    self.written += taken
                    data = data[taken:]
            self.process.stdin.close()
        except BrokenPipeError:
            self.broken = True


@pytest.fixture
def narrow(start, model):
    """Starts a scoring process whose answers leave through the narrowest of pipes, and a writer to it."""

    def call(*options):
        process = start("score", model, "--threads", "1", *options, stdin=-1)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, 4096)
        writer = Writer(process)
        writer.start()
        return process, writer

    return call


def peak_memory(process):
    """The most memory (kB) that a process has had so far; 0 where that is not told."""
    status = Path(f"/proc/{process.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(text.split()[1]) for text in lines if text.startswith("VmHWM")), 0)


def test_100_000_lines_while_the_reader_is_slow(narrow, model):
    process, writer = narrow()
    answered = early = late = 0
    sample = {}
    for number in range(COUNT):
        cells = process.stdout.readline().rstrip("\n").split("\t")
        assert cells[-1] == line(number)
        answered += len(cells[-1]) + 1
        assert writer.written - answered < AHEAD
        if number % 9973 == 0:
            sample[cells[-1]] = cells[0]
        if number == 2000:
            early = peak_memory(process)
        if number == COUNT - 1000:  # while it still runs
            late = peak_memory(process)
    assert process.stdout.read() == ""
    writer.join()
    assert (process.wait(timeout=120), process.stderr.read(), writer.broken) == (0, "", False)
    assert writer.written == answered
    assert late - early < GROWTH
    told = {score.text: f"{score.logprob:.3f}" for score in load(model).scores(sample)}
    assert told == sample


@pytest.mark.parametrize("options", [(), ("--json",), ("--carry-state", "--per-token"), ("--next", "1")])
def test_a_reader_that_leaves_early_ends_it_in_silence(narrow, options):
    process, writer = narrow(*options)
    for _ in range(10):
        assert process.stdout.readline().endswith("\n")
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    writer.join()
    assert writer.broken
    told = process.stderr.read().splitlines()
    assert [line for line in told if not line.startswith("gencli: warning: ")] == []


@pytest.mark.parametrize(
    ("options", "lines"),
    [((), 1), (("--json",), 1), (("--per-token",), 1), (("--next", "3"), 3), (("--carry-state", "--no-eos"), 1)],
)
def test_what_has_arrived_is_answered_before_more_is_sent(start, model, options, lines):
    process = start("score", model, *options, stdin=-1)
    for burst in (["Tyr"], ["Allo"], NAMES, [""], ["Zeno"]):
        process.stdin.write("".join(f"{name}\n" for name in burst))
        process.stdin.flush()
        answers = [process.stdout.readline() for _ in range(lines * len(burst))]
        assert all(answer.endswith("\n") for answer in answers)
        if options == ():
            assert [answer.rstrip("\n").split("\t")[-1] for answer in answers] == burst
    process.stdin.close()
    assert process.stdout.read() == ""
    assert process.wait(timeout=120) == 0
