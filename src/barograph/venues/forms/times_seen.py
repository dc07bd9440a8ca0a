"""Which times the lines of a recording tell, and whose clocks they are."""

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Literal, NamedTuple, TypeVar

from barograph.venues.forms.clock import Clock, Style, Unit, style_of, unit_of
from barograph.venues.forms.names import OPEN_TIMES, RECORDER_TIMES, VENUE_TIMES, plain_name

_VENUE_DIGITS = 4
"""A venue's time has more digits of the second than the three of a recorder in JavaScript."""

SURVEYED = 2000
"""So many first lines or rows settle what a recording is made of."""

_ALL_OF_THE_FIRST, _THEN_ONE_IN = 200, 20
_Row = TypeVar("_Row")

Whose = Literal["venue", "recorder"]


def sampled(first: Sequence[_Row]) -> list[_Row]:
    """Return those of the first lines or rows that are looked at: enough, in less time."""
    return [*first[:_ALL_OF_THE_FIRST], *first[_ALL_OF_THE_FIRST:SURVEYED:_THEN_ONE_IN]]


class TimesSeen:
    """The values of one time of a recording, counted by unit and style."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.plain = plain_name(name)
        self.units: Counter[Unit] = Counter()
        self.styles: Counter[Style] = Counter()
        self.digits = 0

    def add(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Count a value."""
        if (unit := unit_of(value)) is not None:
            self.units[unit] += 1
            style, digits = style_of(value)
            self.styles[style] += 1
            self.digits = max(self.digits, digits)

    @property
    def count(self) -> int:
        """How many values told a time."""
        return self.units.total()

    @property
    def unit(self) -> Unit:
        """The unit of most values; ISO where there is none."""
        return self.units.most_common(1)[0][0] if self.units else Unit.ISO

    @property
    def style(self) -> Style:
        """The style of most values."""
        return self.styles.most_common(1)[0][0] if self.styles else Style.NONE

    def clock(self, zone: tzinfo) -> Clock:
        """Return the clock of this time."""
        return Clock(self.name, self.unit, zone)


class Times(NamedTuple):
    """The clock that a recording goes by, whose it is, and that of receipt, where it is known."""

    event: TimesSeen
    whose: Whose
    received: TimesSeen | None


def received_of(seen: list[TimesSeen]) -> TimesSeen | None:
    """Return the time of receipt beside a frame that has its own time.

    A time without a zone is left out: it would be guessed.
    """
    usable = [each for each in seen if each.count and each.style is not Style.NAIVE]
    usable = [each for each in usable if each.plain not in VENUE_TIMES]
    return _first(usable, RECORDER_TIMES) or (max(usable, key=_rank) if usable else None)


def times_of(seen: list[TimesSeen]) -> Times | None:
    """Return the clocks of fields without a frame of their own; None where there is no time."""
    usable = [each for each in seen if each.count] or seen
    venue = _first(usable, VENUE_TIMES)
    if venue is not None and 2 * venue.count > max(each.count for each in usable):
        return Times(venue, "venue", received_of([each for each in usable if each is not venue]))
    recorder = _first(usable, RECORDER_TIMES)
    open_times = [each for each in usable if each.plain in OPEN_TIMES]
    if not open_times:
        return None if recorder is None else Times(recorder, "recorder", None)
    event = max(open_times, key=_rank)
    others = [each for each in usable if each is not event]
    if recorder is not None and event.style is not Style.NAIVE:
        return Times(event, "venue", received_of(others))
    if event.style is Style.UTC and (event.digits >= _VENUE_DIGITS or event.plain == "time"):
        return Times(event, "venue", received_of(others))
    return Times(event, "recorder", None)


def _first(seen: list[TimesSeen], names: frozenset[str]) -> TimesSeen | None:
    named = [each for each in seen if each.plain in names]
    return max(named, key=lambda each: (each.count, each.name)) if named else None


def _rank(seen: TimesSeen) -> tuple[bool, int, int, str]:
    is_venues = seen.style is Style.UTC and seen.digits >= _VENUE_DIGITS
    place = OPEN_TIMES.index(seen.plain) if seen.plain in OPEN_TIMES else len(OPEN_TIMES)
    return is_venues, seen.count, -place, seen.name
