"""What a sink is, and the bell of a terminal."""

from collections.abc import Callable
from typing import Protocol

from barograph.app.alerting.notes import Note

BELL_S = 60.0
"""An alert that is older is not rung for any more."""


class SinkError(Exception):
    """A sink did not take a note. `final`: it would not take the same note later either."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        self.reason, self.final = reason, final
        super().__init__(reason)


class Sink(Protocol):
    """Where notes are sent. It is used by one thread at a time.

    `name` is that of its consumer group: the same for the same place, different for another, and
    without a secret. `label` is what people read. `latest_s`: older alerts are of no use to it.
    """

    @property
    def name(self) -> str:
        """Name of the consumer group, of letters, digits and `-`."""

    @property
    def label(self) -> str:
        """What it is, in words, without a secret."""

    @property
    def latest_s(self) -> float:
        """How old an alert may be, in seconds."""

    def send(self, note: Note) -> None:
        """Deliver a note; returns once it is delivered. Raises SinkError and nothing else."""


class Bell:
    """Rings the bell of a terminal when an alert begins."""

    name = "bell"
    label = "the bell of this terminal"
    latest_s = BELL_S

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring

    def send(self, note: Note) -> None:
        """Ring once for an alert that begins, and for a test."""
        if note.began or note.kind == "test":
            self._ring()
