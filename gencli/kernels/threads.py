"""A team of threads that stays: each takes one share of a phase, in kernels that run without the interpreter's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[int, int], None]  # (share, shares)


def bounds(count: int, share: int, shares: int) -> tuple[int, int]:
    """The part [first, last) of `count` things that share number `share` of `shares` gets, sizes as equal as can be."""
    return count * share // shares, count * (share + 1) // shares


class Team:
    """`size` threads, the caller's own among them. Call close() when done; a team of one starts no thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._jobs: list[SimpleQueue[tuple[int, Job] | None]] = [SimpleQueue() for _ in range(size - 1)]
        self._wake: SimpleQueue[None] = SimpleQueue()  # only wakes the caller; what counts stands in _ended
        self._ended: list[tuple[int, BaseException | None]] = [(0, None)] * (size - 1)
        self._serial = 0
        self._threads = [threading.Thread(target=self._work, args=(i + 1,), daemon=True) for i in range(size - 1)]
        for thread in self._threads:
            thread.start()

    def _work(self, share: int) -> None:
        while (order := self._jobs[share - 1].get()) is not None:
            serial, job = order
            failure: BaseException | None = None
            try:
                job(share, self.size)
            except BaseException as error:  # noqa: BLE001  handed to the caller, which raises it
                failure = error
            self._ended[share - 1] = (serial, failure)
            self._wake.put(None)

    def run(self, job: Job) -> None:
        """Call job(share, size) on every thread and wait for all; raises what the lowest failing share raised.

        An interrupt of the caller too is raised only when no thread works any more.
        """
        self._serial += 1
        for queue in self._jobs:
            queue.put((self._serial, job))
        failure: BaseException | None = None
        try:
            job(0, self.size)
        except BaseException as error:  # noqa: BLE001  raised below
            failure = error
        while any(serial != self._serial for serial, _ in self._ended):
            try:
                self._wake.get()
            except KeyboardInterrupt as error:
                failure = failure or error
        for error_of_share in (error for _, error in self._ended if error is not None):
            failure = failure or error_of_share
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Let the threads end."""
        for queue in self._jobs:
            queue.put(None)
        for thread in self._threads:
            thread.join()
