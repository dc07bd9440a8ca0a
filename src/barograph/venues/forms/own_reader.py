"""Lines by a form of one's own."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import tzinfo
from typing import Any, Literal

from barograph.codec import UNREADABLE
from barograph.times import format_time
from barograph.types import Fault
from barograph.venues.entries import Dialect
from barograph.venues.forms.clock import Clock, Style, unit_of
from barograph.venues.forms.envelope import object_of
from barograph.venues.forms.fields import frame_of
from barograph.venues.forms.names import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    LAST_SIZE,
    PRICE,
    RECEIVED,
    SIDE,
    TIME,
    TRADE_ID,
)
from barograph.venues.forms.own import OwnForm
from barograph.venues.forms.times_seen import TimesSeen
from barograph.venues.refusals import FrameRefusedError


class OwnReader:
    """Reads lines by a form of one's own, once `settle` has seen the first ones."""

    def __init__(self, form: OwnForm, zone: tzinfo) -> None:
        self.form, self._zone = form, zone
        self._fields = {
            role: name for role, name in form.fields.items() if role not in {TIME, RECEIVED}
        }
        if form.sides is not None:
            price = self._fields.pop(PRICE)
            self._fields |= {BID: f"bid.{price}", ASK: f"ask.{price}"}
            for role, side in ((BID_SIZE, "bid"), (ASK_SIZE, "ask")):
                if role in self._fields:
                    self._fields[role] = f"{side}.{self._fields[role]}"
        given = self._fields.keys() | form.constants.keys()
        is_exchange = given & {TRADE_ID, LAST_SIZE, SIDE}
        self.dialect = Dialect.EXCHANGE if is_exchange else Dialect.ADVANCED
        self.lines = 0
        self._event = TimesSeen(form.fields[TIME])
        self._received = TimesSeen(form.fields[RECEIVED]) if RECEIVED in form.fields else None
        self._clocks = self._made()

    @property
    def is_local(self) -> bool:
        """Whether its times are naive ones of a zone whose clocks may be put back."""
        return str(self._zone) != "UTC" and self._event.style is Style.NAIVE

    @property
    def line(self) -> str:
        """What is read and how, in words."""
        clock, received = self._clocks
        parts = ["your own form", f"{self.form.clock}'s clock `{clock.name}` ({clock.unit})"]
        if self._event.style is Style.NAIVE:
            parts.append(f"times without a zone read as {clock.zone}")
        if received is not None:
            parts.append(f"received `{received.name}` ({received.unit})")
        if PRICE not in self._fields and PRICE not in self.form.constants:
            parts.append("no trades (price is the middle of bid and ask)")
        parts.append("sizes" if BID_SIZE in self._fields else "no sizes")
        parts.append("ids" if TRADE_ID in self._fields else "no ids")
        return ", ".join(parts)

    def settle(self, lines: Iterable[bytes]) -> None:
        """Settle the units that the form does not say, from the first lines."""
        for line in lines:
            with suppress(*UNREADABLE, FrameRefusedError):
                members = object_of(line)
                self.lines += 1
                self._event.add(value_at(members, self._event.name))
                if self._received is not None:
                    self._received.add(value_at(members, self._received.name))
        self._clocks = self._made()

    def restart(self) -> None:
        """Forget the times of the lines that were read."""
        for clock in self._clocks:
            if clock is not None:
                clock.restart()

    def read(self, line: bytes) -> tuple[bytes, int | None, Literal["venue", "recorder"]]:
        """Return the frame of a line, its receive time in ns, and whose clock it tells.

        Raises FrameRefusedError, UNREADABLE, and ValueError for a time that is none.
        """
        members = object_of(line)
        event, received = self._clocks
        event_time = value_at(members, event.name)
        if event_time is None or event_time == "":
            raise FrameRefusedError(Fault.WRONG_SHAPE, f"no `{event.name}`")
        values = {role: value_at(members, name) for role, name in self._fields.items()}
        time = format_time(event.moment(event_time))
        frame = frame_of({**self.form.constants, **values}, time, self.dialect)
        received_ns = None
        if received is not None and unit_of(at := value_at(members, received.name)) is not None:
            received_ns = received.moment(at)
        return frame, received_ns, self.form.clock

    def _made(self) -> tuple[Clock, Clock | None]:
        event = Clock(self._event.name, self.form.unit or self._event.unit, self._zone)
        if self._received is None:
            return event, None
        unit = self.form.received_unit or self._received.unit
        return event, Clock(self._received.name, unit, self._zone)


def value_at(members: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value at a name, whose dots go into objects and lists; None where none is."""
    if name in members:
        return members[name]
    value: Any = members
    for part in name.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
