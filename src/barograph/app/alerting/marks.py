"""How often a note was begun to be sent, kept in the log: a kill repeats it once at most."""

from barograph import codec
from barograph.log import Log

MOST_SENDS = 2
"""So often a note is begun whose end nobody knows."""


class Marks:
    """The marks of one sink, as checkpoints of a producer of its name. Not thread-safe.

    Taking them ends the marks of an earlier process: its next one raises ReplacedProducerError.
    """

    def __init__(self, log: Log, sink: str) -> None:
        self._log, self._producer = log, f"alerts-{sink}"
        kept = log.producer_checkpoints(self._producer)
        self._counts = {key: codec.natural(count) or 0 for key, count in kept.items()}
        self._done: set[str] = set()

    def count(self, key: str) -> int:
        """How often the note of this key was begun without a known end."""
        return self._counts.get(key, 0)

    def mark(self, key: str, count: int) -> None:
        """Keep how often a note was begun. Raises as `Log.append`."""
        gone = self._done - {key}
        changes: dict[str, bytes | None] = dict.fromkeys(sorted(gone))
        self._log.append([], producer=self._producer, checkpoints={**changes, key: b"%d" % count})
        self._counts = {each: n for each, n in self._counts.items() if each not in gone}
        self._counts[key] = count
        self._done.clear()

    def settle(self) -> None:
        """Forget all marks with the next one: what they are about is committed."""
        self._done = set(self._counts)
