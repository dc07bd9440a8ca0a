"""What computes stretches side by side: processes of this machine. Spark's is in `spark`."""

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Protocol, Self

from barograph.errors import BadInputError
from barograph.training.results import Computed, Results
from barograph.training.stretches import Stretch, compute

_LIVES = 3
"""A stretch whose processes are lost so often is given up."""

_LOST = (EOFError, OSError)
"""What a pipe raises whose other end is gone, perhaps within a message."""

_THREADS = "POLARS_MAX_THREADS"


class Engine(Protocol):
    """Computes stretches, in any order and any number at a time."""

    def compute(
        self, stretches: Sequence[Stretch], results: Results, done: Callable[[Computed], None]
    ) -> None:
        """Compute all of them (`stretches.compute`); `done` is called with each result."""


class LocalEngine:
    """So many processes of this machine. One that is lost is replaced, and its stretch done again.

    Each has a pipe of its own and shares no lock with the others: it may be killed at any moment
    (docs/decisions/0085). Raises BadInputError where the processes of a stretch are lost again and
    again.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def compute(
        self, stretches: Sequence[Stretch], results: Results, done: Callable[[Computed], None]
    ) -> None:
        """See Engine."""
        waiting, losses = deque(stretches), Counter[str]()
        with _Workers(self._workers) as workers:
            while waiting or workers.busy:
                while waiting and workers.has_room:
                    workers.give(waiting.popleft(), results)
                for stretch, result in workers.answers():
                    if result is not None:
                        done(result)
                        continue
                    losses[stretch.key] += 1
                    if losses[stretch.key] == _LIVES:
                        raise BadInputError(
                            f"the stretch of {stretch.product} from event {stretch.first:,}",
                            f"its process was killed {_LIVES} times, as where memory runs out",
                            "Use fewer --workers",
                        )
                    waiting.appendleft(stretch)


class _Worker:
    """A process that computes one stretch after the other.

    It begins anew, with one thread: a fork of ours would share our locks.
    """

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,))
        with _threads(1), suppress(OSError):  # killed at once, or no process was to be had
            self._process.start()
        theirs.close()

    def give(self, stretch: Stretch, results: Results) -> None:
        """Let it compute a stretch; if it is lost, its pipe says so."""
        with suppress(*_LOST):
            self.pipe.send((stretch, results))

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.pipe.close()
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()


class _Workers:
    """At most so many processes, begun when they are needed; all end with the context."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[_Worker] = []
        self.busy: dict[Connection, tuple[_Worker, Stretch]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in [*self._idle, *(worker for worker, _ in self.busy.values())]:
            worker.end()

    @property
    def has_room(self) -> bool:
        """Whether another stretch can be given."""
        return len(self.busy) < self._most

    def give(self, stretch: Stretch, results: Results) -> None:
        """Let one of them compute a stretch."""
        worker = self._idle.pop() if self._idle else _Worker()
        self.busy[worker.pipe] = worker, stretch
        worker.give(stretch, results)

    def answers(self) -> Iterator[tuple[Stretch, Computed | None]]:
        """Wait for some stretches, each with its result, or None if its process was lost.

        Raises what computing it raised.
        """
        wait([*self.busy])
        for pipe, (worker, stretch) in [*self.busy.items()]:
            if not pipe.poll():
                continue
            try:
                answer = pipe.recv()
            except _LOST:
                answer = None
                worker.end()
            else:
                self._idle.append(worker)
            del self.busy[pipe]
            if isinstance(answer, BaseException):
                raise answer
            yield stretch, answer


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Processes that begin within have so many threads of Polars."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _serve(pipe: Connection) -> None:
    """Compute what comes through the pipe, until the process that began this one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for that one to answer
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    while True:
        try:
            stretch, results = pipe.recv()
        except _LOST:
            return
        answer: Computed | BaseException
        try:
            answer = compute(stretch, results)
        except BaseException as error:  # noqa: BLE001 - raised where the answer is read
            answer = error
        pipe.send(answer)


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
