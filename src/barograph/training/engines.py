"""What computes stretches side by side: processes of this machine. Spark's is in `spark`."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Protocol

from barograph.errors import BadInputError
from barograph.training.stretches import Computed, Stretch, compute

_LIVES = 3
"""So often workers may be lost before it counts as our fault."""

_THREADS = "POLARS_MAX_THREADS"


class Engine(Protocol):
    """Computes stretches into a folder, in any order and any number at a time."""

    def compute(
        self, stretches: Sequence[Stretch], folder: Path, done: Callable[[Computed], None]
    ) -> None:
        """Compute all of them (`stretches.compute`); `done` is called with each result."""


class LocalEngine:
    """So many processes of this machine. One that is lost is replaced, and its stretch done again.

    Raises BadInputError where they are lost again and again.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def compute(
        self, stretches: Sequence[Stretch], folder: Path, done: Callable[[Computed], None]
    ) -> None:
        """See Engine."""
        left = list(stretches)
        for _ in range(_LIVES):
            left = self._attempt(left, folder, done)
            if not left:
                return
        raise BadInputError(
            f"the stretch of {left[0].product} from event {left[0].first:,}",
            f"its process was killed {_LIVES} times, as where memory runs out",
            "Use fewer --workers",
        )

    def _attempt(
        self, stretches: Sequence[Stretch], folder: Path, done: Callable[[Computed], None]
    ) -> list[Stretch]:
        """Compute stretches; returns those of which the processes were lost."""
        waiting, left = iter(stretches), {stretch.key: stretch for stretch in stretches}
        running: dict[Future[Computed], Stretch] = {}
        with _pool(min(self._workers, len(stretches))) as pool:
            try:
                while left:
                    for stretch in islice(waiting, 2 * self._workers - len(running)):
                        running[pool.submit(compute, stretch, folder)] = stretch
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        done(future.result())
                        del left[running.pop(future).key]
            except BrokenProcessPool:
                pass  # what is left says which
        return list(left.values())


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that begin anew, each of one thread: a fork of ours would share its locks."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, spawn, initializer=_begin_worker)
        ended = False
        try:
            yield pool
            ended = True
        finally:
            if not ended:  # nobody waits for what runs
                for process in multiprocessing.active_children():
                    process.terminate()
            pool.shutdown(cancel_futures=True)
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _begin_worker() -> None:
    """End with the process that began this one; Ctrl-C is for that one to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)
