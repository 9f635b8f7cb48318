"""A team of threads that stays: each takes one share of a phase, in kernels that run without the interpreter's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


def bounds(count: int, share: int, shares: int) -> tuple[int, int]:
    """The part [first, last) of `count` things that share number `share` of `shares` gets, sizes as equal as can be."""
    return count * share // shares, count * (share + 1) // shares


class Team:
    """`size` threads, the caller's own among them. Call close() when done; a team of one starts no thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._jobs: list[SimpleQueue[Callable[[int, int], None] | None]] = [SimpleQueue() for _ in range(size - 1)]
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, args=(i + 1,), daemon=True) for i in range(size - 1)]
        for thread in self._threads:
            thread.start()

    def _work(self, share: int) -> None:
        while (job := self._jobs[share - 1].get()) is not None:
            try:
                job(share, self.size)
            except BaseException as error:  # noqa: BLE001  handed to the caller, which raises it
                self._done.put(error)
            else:
                self._done.put(None)

    def run(self, job: Callable[[int, int], None]) -> None:
        """Call job(share, size) on every thread and wait for all; raises what the first failing share raised."""
        for queue in self._jobs:
            queue.put(job)
        failure: BaseException | None = None
        try:
            job(0, self.size)
        except BaseException as error:  # noqa: BLE001  raised below, once no thread works any more
            failure = error
        for _ in self._jobs:
            failure = self._done.get() or failure
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Let the threads end."""
        for queue in self._jobs:
            queue.put(None)
        for thread in self._threads:
            thread.join()
