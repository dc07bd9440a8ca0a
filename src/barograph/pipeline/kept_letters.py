"""Dead letters of a job that writes nothing else into a log: `deadletters list` finds them."""

from collections.abc import Callable

from barograph.log import Log
from barograph.log.topics import DEAD_LETTERS, ensure_topics
from barograph.pipeline.worker import dead_letter
from barograph.types import DeadLetter, Message

_LETTERS_AT_A_TIME = 500


class KeptLetters:
    """Takes dead letters and writes them to a log, which is opened with the first of them."""

    def __init__(self, open_it: Callable[[], Log], partitions: int) -> None:
        self._open, self._partitions = open_it, partitions
        self._log: Log | None = None
        self._waiting: list[Message] = []

    def add(self, letter: DeadLetter) -> None:
        """Write a letter with the next batch of them."""
        self._waiting.append(dead_letter(DEAD_LETTERS, letter))
        if len(self._waiting) >= _LETTERS_AT_A_TIME:
            self._write()

    def close(self) -> None:
        """Write what waits, and close the log if one was opened. Idempotent."""
        self._write()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _write(self) -> None:
        if not self._waiting:
            return
        if self._log is None:
            self._log = self._open()
            ensure_topics(self._log, self._partitions)
        self._log.append(self._waiting)
        self._waiting = []
