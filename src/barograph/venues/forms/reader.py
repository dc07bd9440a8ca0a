"""Recorded lines of any form → the venue's frames, with their receive times and their clock.

What a recording is made of is settled once, from its first lines: which field is which, whose the
clock is and in which unit it counts. So the order of keys, the form of numbers and the name of the
file mean nothing, and no two clocks or units mix in one recording.
"""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import msgspec

from barograph.codec import UNREADABLE
from barograph.times import format_time, parse_time
from barograph.types import Fault
from barograph.venues.entries import Dialect
from barograph.venues.forms.clock import Unit
from barograph.venues.forms.envelope import (
    Envelope,
    Wrapper,
    envelope_of,
    value_of,
)
from barograph.venues.forms.fields import enveloped, frame_of
from barograph.venues.forms.own import OwnForm
from barograph.venues.forms.own_reader import OwnReader
from barograph.venues.forms.settled import Settled, Sightings
from barograph.venues.refusals import FrameRefusedError, fault_of

_TICKER_FIRST = (b'{"type":"ticker"', b'{"type": "ticker"')
_CHANNEL_FIRST = (b'{"channel":', b'{"channel" :')

_DIALECTS = {Wrapper.EXCHANGE: Dialect.EXCHANGE, Wrapper.ADVANCED: Dialect.ADVANCED}

_LONGEST_LINE = 600

Key = tuple[Wrapper, tuple[str, ...], Dialect | None]


class Unwrapped(NamedTuple):
    """The venue's frame and what the recorder knew of it. `wrapper` names the form."""

    frame: bytes
    dialect: Dialect
    wrapper: str
    receive_time_ns: int | None = None
    event_clock: Literal["venue", "recorder"] = "venue"


class FormReader:
    """Reads the lines of one recording. `settle` comes first; `restart` before a second reading.

    zone: of naive local times. form: one of the user's own; then it says where every field is.
    Not thread-safe: use one instance per thread.
    """

    def __init__(self, zone: tzinfo = UTC, form: OwnForm | None = None) -> None:
        self._zone = zone
        self._forms: dict[Key, Settled] = {}
        self._own = None if form is None else OwnReader(form, form.zone_or(zone))
        self._exchange_is_plain = self._advanced_is_plain = False

    @property
    def exchange_is_plain(self) -> bool:
        """Whether bare Exchange frames pass as they stand, and nothing stands beside them."""
        return self._exchange_is_plain

    @property
    def is_local(self) -> bool:
        """Whether a time depends on the times before it: it is naive, and clocks are put back."""
        if self._own is not None:
            return self._own.is_local
        return str(self._zone) != "UTC" and any(each.is_local for each in self._forms.values())

    @property
    def forms(self) -> list[Settled]:
        """What was settled, in the order in which forms appear."""
        return list(self._forms.values())

    @property
    def own(self) -> OwnReader | None:
        """The reader of a form of one's own, where one was given."""
        return self._own

    def settle(self, lines: Iterable[bytes]) -> None:
        """Settle what a recording is made of, from its first lines. Never raises."""
        if self._own is not None:
            self._own.settle(lines)
            return
        sightings: dict[Key, Sightings] = {}
        for line in lines:
            try:
                envelope = envelope_of(line)
                seen = sightings.setdefault(_key(envelope), Sightings(envelope))
                seen.add(envelope)
            except (*UNREADABLE, FrameRefusedError):
                continue
        for key, seen in sightings.items():
            self._add(key, seen)

    def restart(self) -> None:
        """Forget the times of the lines that were read."""
        if self._own is not None:
            self._own.restart()
        for settled in self._forms.values():
            settled.restart()

    def bare(self, line: bytes) -> Wrapper | None:
        """Return the form of a line that is a frame as it stands, by the venue's clock.

        None where its beginning does not show that, and for another line.
        """
        if self._exchange_is_plain and line.startswith(_TICKER_FIRST) and b'"time"' in line:
            return Wrapper.EXCHANGE
        if self._advanced_is_plain and line.startswith(_CHANNEL_FIRST) and b'"events"' in line:
            return Wrapper.ADVANCED
        return None

    def read(self, line: bytes) -> Unwrapped:
        """Return the frame in a line. Raises FrameRefusedError, and nothing else."""
        wrapper = self.bare(line)
        if wrapper is not None:
            return Unwrapped(line, _DIALECTS[wrapper], wrapper)
        try:
            return self._read(line)
        except UNREADABLE as error:
            raise FrameRefusedError(*fault_of(line, error, "", frozenset())) from None
        except ValueError as error:
            raise FrameRefusedError(Fault.BAD_TIME, str(error)) from None

    def _read(self, line: bytes) -> Unwrapped:
        if self._own is not None:
            frame, received_ns, whose = self._own.read(line)
            return Unwrapped(frame, self._own.dialect, Wrapper.OWN, received_ns, whose)
        envelope = envelope_of(line)
        key = _key(envelope)
        settled = self._forms.get(key)
        if settled is None:
            seen = Sightings(envelope)
            seen.add(envelope)
            settled = self._add(key, seen)
        return _unwrapped(envelope, settled)

    def _add(self, key: Key, seen: Sightings) -> Settled:
        settled = self._forms[key] = seen.settle(_label(key), self._zone)
        plain = settled.received is None and settled.rewritten is None
        if key == (Wrapper.EXCHANGE, (), Dialect.EXCHANGE):
            self._exchange_is_plain = plain
        elif key == (Wrapper.ADVANCED, (), Dialect.ADVANCED):
            self._advanced_is_plain = plain
        return settled


def line_of(reader: FormReader, container: str = "lines") -> str:
    """Return what a reader settled on: `1 form: flat, venue's clock `timestamp`, no sizes, …`."""
    settled = sorted(reader.forms, key=lambda each: -each.lines)
    lines = [each.line for each in settled] if reader.own is None else [reader.own.line]
    inside = "" if container == "lines" else f" in a {container}"
    number = f"{len(lines)} form{'' if len(lines) == 1 else 's'}{inside}"
    return f"{number}: {'; '.join(lines)}"[:_LONGEST_LINE] if lines else f"no form{inside}"


def _key(envelope: Envelope) -> Key:
    dialect = None if envelope.frame is None else envelope.dialect
    return envelope.wrapper, envelope.path, dialect


def _label(key: Key) -> str:
    """The name of a form in the names of its connections; never a stranger's text."""
    wrapper, path, dialect = key
    if wrapper is Wrapper.NESTED:
        return f"{wrapper}-{sha256(msgspec.json.encode([path, dialect])).hexdigest()[:6]}"
    return f"{wrapper}-advanced" if (wrapper, dialect) == ("pair", "advanced") else wrapper


def _unwrapped(envelope: Envelope, settled: Settled) -> Unwrapped:
    members = {**envelope.outer, **envelope.inner}
    received_ns = settled.received_ns(members)
    if envelope.frame is not None:
        frame = envelope.frame
        if settled.rewritten is not None:
            frame = _with_plain_time(envelope, settled)
        return Unwrapped(frame, envelope.dialect, settled.label, received_ns)
    if settled.problem:
        raise FrameRefusedError(Fault.WRONG_SHAPE, settled.problem)
    time = _time_text(members, settled)
    if settled.keeps_ticker:
        # The innermost object is the venue's own ticker: it keeps its bytes.
        frame = enveloped(time, "update", envelope.raw)
        return Unwrapped(frame, Dialect.ADVANCED, settled.label, received_ns, settled.whose)
    values = {role: value_of(members.get(name)) for role, name in settled.names.items()}
    frame = frame_of(values, time, settled.dialect)
    return Unwrapped(frame, settled.dialect, settled.label, received_ns, settled.whose)


def _time_text(members: Any, settled: Settled) -> str:  # noqa: ANN401 - Members
    assert settled.event is not None  # noqa: S101 - else there is a problem
    value = value_of(members.get(settled.event.name))
    if value is None or value == "":
        raise FrameRefusedError(Fault.WRONG_SHAPE, f"no `{settled.event.name}`")
    if settled.event.unit is Unit.ISO and isinstance(value, str) and _is_plain(value):
        return value
    return format_time(settled.event.moment(value))


def _is_plain(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _with_plain_time(envelope: Envelope, settled: Settled) -> bytes:
    """The frame with its time as the venue writes it."""
    assert settled.rewritten is not None  # noqa: S101 - the caller's
    name = settled.rewritten.name
    value = value_of(envelope.inner.get(name))
    if value is None:
        assert envelope.frame is not None  # noqa: S101 - the caller's
        return envelope.frame
    time = format_time(settled.rewritten.moment(value))
    return msgspec.json.encode({**envelope.inner, name: msgspec.Raw(msgspec.json.encode(time))})
