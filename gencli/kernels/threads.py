"""A team of threads that stays: each takes one share of a phase, in kernels that run without the interpreter's lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from gencli.kernels.spin import spin

Job = Callable[[int, int], None]  # (share, shares)
# Turns of some ten nanoseconds. A thread that waits spins before it sleeps; one that is called lets the caller reach
# its first kernel, and so give up the interpreter's lock, before it asks for that lock itself.
TURNS, AFTER_CALL, AFTER_END = 10_000, 250, 150
LINE = 8  # words of a cache line


def bounds(count: int, share: int, shares: int) -> tuple[int, int]:
    """The part [first, last) of `count` things that share number `share` of `shares` gets, sizes as equal as can be."""
    return -(-count * share // shares), -(-count * (share + 1) // shares)


def default_threads() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Team:
    """`size` threads, the caller's own among them. Call close() when done; a team of one starts no thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._jobs: list[SimpleQueue[tuple[int, Job] | None]] = [SimpleQueue() for _ in range(size - 1)]
        self._wake: SimpleQueue[None] = SimpleQueue()  # only wakes the caller; what counts stands in _ended
        self._ended: list[tuple[int, BaseException | None]] = [(0, None)] * (size - 1)
        self._serial = 0
        self._spins = 1 < size <= default_threads()
        self._words = np.zeros(size * LINE, np.int64)  # the latest run that began; for each other share, that ended
        self._threads = [threading.Thread(target=self._work, args=(i + 1,), daemon=True) for i in range(size - 1)]
        for thread in self._threads:
            thread.start()

    def _work(self, share: int) -> None:
        order = self._jobs[share - 1].get()
        while order is not None:
            serial, job = order
            failure: BaseException | None = None
            try:
                job(share, self.size)
            except BaseException as error:  # noqa: BLE001  handed to the caller, which raises it
                failure = error
            self._ended[share - 1] = (serial, failure)
            self._words[share * LINE] = serial
            self._wake.put(None)
            if self._spins:
                spin(self._words, 0, serial + 1, TURNS, AFTER_CALL)
            order = self._jobs[share - 1].get()

    def run(self, job: Job) -> None:
        """Call job(share, size) on every thread and wait for all; raises what the lowest failing share raised.

        An interrupt of the caller too is raised only when no thread works any more.
        """
        self._serial += 1
        for queue in self._jobs:
            queue.put((self._serial, job))
        self._words[0] = self._serial
        failure: BaseException | None = None
        try:
            job(0, self.size)
        except BaseException as error:  # noqa: BLE001  raised below
            failure = error
        while any(serial != self._serial for serial, _ in self._ended):
            try:
                self._wait()
            except KeyboardInterrupt as error:
                failure = failure or error
        for error_of_share in (error for _, error in self._ended if error is not None):
            failure = failure or error_of_share
        if failure is not None:
            raise failure

    def _wait(self) -> None:
        """Until a share has ended, or once too often."""
        while not self._wake.empty():
            self._wake.get()
        if self._spins:
            for share in range(1, self.size):
                spin(self._words, share * LINE, self._serial, TURNS, AFTER_END)
        if any(serial != self._serial for serial, _ in self._ended):
            self._wake.get()

    def close(self) -> None:
        """Let the threads end."""
        for queue in self._jobs:
            queue.put(None)
        for thread in self._threads:
            thread.join()
