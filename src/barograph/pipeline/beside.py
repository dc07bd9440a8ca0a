"""Workers beside the pipeline, in threads on which nothing else depends."""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Self

from barograph.deadline import SENT, WATCHED, Deadline
from barograph.pipeline.side_threads import SideThreads
from barograph.pipeline.worker import Tally, Until

_JOIN_S = 2.0
_LOOK_S = 0.25

Job = tuple[str, Callable[[Until], object]]
"""What is reported, before the cause, when a worker raises; and its work until stopped."""


class Beside:
    """Workers as threads, running while the `with` block runs.

    At its end they finish what is in the log by then, for two seconds at most, and not beyond
    `deadline`.
    """

    def __init__(
        self, jobs: Iterable[Job], warn: Callable[[str], None], deadline: Deadline | None = None
    ) -> None:
        self._deadline = deadline or Deadline()
        self._stop = threading.Event()
        self._abandon = threading.Event()
        self._threads = SideThreads(
            [(report, partial(work, self._until)) for report, work in jobs], warn
        )

    def __enter__(self) -> Self:
        """Start the threads and return self."""
        self._threads.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; a thread that does not end in time is left to the end of the process."""
        self._stop.set()
        self._threads.join(self._deadline.left_s(_JOIN_S, WATCHED))
        self._abandon.set()
        self._threads.join(self._deadline.left_s(_LOOK_S, SENT))

    def check(self) -> None:
        """Raise RemovedError if the log was removed."""
        if self._threads.removed is not None:
            raise self._threads.removed

    @property
    def failed(self) -> BaseException | None:
        """What the first worker died of, if one did."""
        return self._threads.failed

    def _until(self, _tally: Tally, idle: bool) -> bool:
        return self._abandon.is_set() or (self._stop.is_set() and idle)
