"""What the first lines of a recording settle for all of it: fields, clocks, and what is missing."""

from collections import Counter
from datetime import tzinfo
from typing import Literal

from barograph.times import parse_time
from barograph.venues.coinbase.frames import EXCHANGE_TYPES
from barograph.venues.entries import Dialect
from barograph.venues.forms.clock import Clock, Style, Unit, unit_of
from barograph.venues.forms.envelope import Envelope, Members, Wrapper, text_of, value_of
from barograph.venues.forms.names import (
    ASK,
    BID,
    BID_SIZE,
    LAST_SIZE,
    PRICE,
    PRODUCT,
    SIDE,
    TRADE_ID,
    is_feature,
    is_time,
    rank_of,
    role_of,
)
from barograph.venues.forms.times_seen import Times, TimesSeen, received_of, times_of

_MANY_FEATURES = 3
_LONGEST_LIST = 12


class Settled:
    """One form of a recording, settled. `problem` says why its lines make no tick; empty if not."""

    def __init__(self, wrapper: Wrapper, path: tuple[str, ...], label: str) -> None:
        self.wrapper, self.path, self.label = wrapper, path, label
        self.dialect = Dialect.ADVANCED
        self.names: dict[str, str] = {}
        self.event: Clock | None = None
        self.received: Clock | None = None
        self.rewritten: Clock | None = None
        """The frame's own time, where it is not written as the venue writes it."""
        self.whose: Literal["venue", "recorder"] = "venue"
        self.is_local = False
        self.keeps_ticker = False
        self.has_sizes = self.has_ids = False
        self.lines = 0
        self.field_names: list[str] = []
        self.inner_names: frozenset[str] = frozenset()
        self.is_frames = False
        self.problem = self.cure = ""

    def restart(self) -> None:
        """Forget the times so far."""
        for clock in (self.event, self.received, self.rewritten):
            if clock is not None:
                clock.restart()

    def received_ns(self, members: Members) -> int | None:
        """Return when a line was received, in ns; None where that is not told.

        Raises ValueError for a time in another unit than the recording's.
        """
        if self.received is None or self.received.name not in members:
            return None
        value = value_of(members[self.received.name])
        return None if unit_of(value) is None else self.received.moment(value)

    @property
    def line(self) -> str:
        """What was settled, in words: `flat, venue's clock `timestamp`, no sizes, no ids`."""
        parts = [self._kind()]
        if self.problem:
            return f"{parts[0]}: {self.problem}"
        if self.event is not None:
            parts.append(f"{self.whose}'s clock `{self.event.name}`{_unit(self.event)}")
        if self.event is not None and self.is_local:
            parts.append(f"times without a zone read as {self.event.zone}")
        if self.received is not None:
            parts.append(f"received `{self.received.name}`{_unit(self.received)}")
        if self.names and PRICE not in self.names and not self.keeps_ticker:
            parts.append("no trades (price is the middle of bid and ask)")
        parts.append("sizes" if self.has_sizes else "no sizes")
        parts.append("ids" if self.has_ids else "no ids")
        return ", ".join(parts)

    def _kind(self) -> str:
        if self.wrapper is Wrapper.EXCHANGE:
            return "Exchange frames"
        if self.wrapper is Wrapper.ADVANCED:
            return "Advanced Trade frames"
        place = ".".join(self.path)
        if self.wrapper is Wrapper.FLAT:
            return "flat"
        if not self.is_frames:
            return f"{'ticker' if self.keeps_ticker else 'fields'} in `{place}`"
        dialect = "Exchange" if self.dialect is Dialect.EXCHANGE else "Advanced Trade"
        behind = "behind a number" if self.path == ("prefix",) else f"in `{place}`"
        return f"{dialect} frames {behind}"


def _unit(clock: Clock) -> str:
    return "" if clock.unit is Unit.ISO else f" ({clock.unit})"


class Sightings:
    """The lines of one form that were looked at."""

    def __init__(self, envelope: Envelope) -> None:
        self._wrapper, self._path = envelope.wrapper, envelope.path
        self._is_frame, self._dialect = envelope.frame is not None, envelope.dialect
        self._times: dict[str, TimesSeen] = {}
        self._names: dict[str, Counter[str]] = {}
        self._fields: Counter[str] = Counter()
        self._inner: set[str] = set()
        self._inner_times = 0
        self._lines = 0
        self._own = TimesSeen("time" if envelope.dialect is Dialect.EXCHANGE else "timestamp")
        self._odd_times = 0
        self._has_sizes = False

    def add(self, envelope: Envelope) -> None:
        """Look at a line. Raises UNREADABLE for members that cannot be read."""
        self._lines += 1
        members = {**envelope.outer, **envelope.inner}
        own = self._own.name if self._is_frame else ""
        for name, raw in members.items():
            if name == own and name in envelope.inner:
                continue
            if is_time(name):
                seen = self._times.setdefault(name, TimesSeen(name))
                seen.add(value_of(raw))
                self._inner_times += name in envelope.inner
        if self._is_frame:
            self._look_at_frame(envelope)
            return
        self._inner.update(envelope.inner)
        for name, raw in members.items():
            self._fields[name] += 1
            role = role_of(name)
            if role is not None and bytes(raw) not in {b"null", b'""'}:
                self._names.setdefault(role, Counter())[name] += 1

    def _look_at_frame(self, envelope: Envelope) -> None:
        self._fields.update(envelope.inner.keys())
        if envelope.dialect is Dialect.EXCHANGE:
            self._has_sizes = self._has_sizes or "best_bid_size" in envelope.inner
            if text_of(envelope.inner.get("type")) not in EXCHANGE_TYPES:
                return
        else:
            self._has_sizes = self._has_sizes or b'"best_bid_quantity"' in envelope.raw
        value = value_of(envelope.inner.get(self._own.name))
        if value is not None:
            self._own.add(value)
            try:
                parse_time(value if isinstance(value, str) else "")
            except ValueError:
                self._odd_times += 1

    def settle(self, label: str, zone: tzinfo) -> Settled:
        """Return what these lines settle."""
        settled = Settled(self._wrapper, self._path, label)
        settled.lines = self._lines
        settled.field_names = list(self._fields)
        settled.inner_names = frozenset(self._inner)
        settled.is_frames = self._is_frame
        if self._is_frame:
            self._settle_frames(settled, zone)
            return settled
        settled.names = {role: _surest(role, names) for role, names in self._names.items()}
        is_exchange = {TRADE_ID, SIDE, LAST_SIZE} & settled.names.keys()
        settled.dialect = Dialect.EXCHANGE if is_exchange else Dialect.ADVANCED
        times = times_of(list(self._times.values()))
        if times is not None:
            self._settle_times(settled, times, zone)
        settled.has_sizes, settled.has_ids = BID_SIZE in settled.names, TRADE_ID in settled.names
        settled.keeps_ticker = self._wrapper is Wrapper.RAW and not self._inner_times
        if settled.keeps_ticker:
            settled.dialect = Dialect.ADVANCED
        settled.problem, settled.cure = self._problem(settled)
        return settled

    def _settle_frames(self, settled: Settled, zone: tzinfo) -> None:
        settled.dialect = self._dialect
        settled.has_sizes = self._has_sizes
        settled.has_ids = self._dialect is Dialect.EXCHANGE and "trade_id" in self._fields
        received = received_of(list(self._times.values()))
        settled.received = None if received is None else received.clock(zone)
        if self._own.count and 2 * self._odd_times > self._own.count:
            settled.rewritten = self._own.clock(zone)
            settled.is_local = self._own.style is Style.NAIVE
        settled.event = self._own.clock(zone)

    def _settle_times(self, settled: Settled, times: Times, zone: tzinfo) -> None:
        settled.event, settled.whose = times.event.clock(zone), times.whose
        settled.is_local = times.event.style is Style.NAIVE
        settled.received = None if times.received is None else times.received.clock(zone)

    def _problem(self, settled: Settled) -> tuple[str, str]:
        features = [name for name in self._fields if is_feature(name)]
        shown = ", ".join(list(self._fields)[:_LONGEST_LIST]) or "none"
        if len(features) >= _MANY_FEATURES:
            clock = "its times" if settled.event is None else f"its `{settled.event.name}`"
            some = ", ".join(features[:_MANY_FEATURES])
            return (
                f"a table of features ({some}, …): {clock} may be when they were computed, not"
                " when the market moved"
            ), "Read the recording that it was made of; where you know the clock, say so"
        if settled.keeps_ticker and settled.event is not None:
            return "", ""
        missing = []
        if PRODUCT not in settled.names:
            missing.append("product")
        if not {BID, ASK} <= settled.names.keys():
            missing.append("bid and ask")
        if settled.event is None:
            missing.append("time")
        if not missing:
            return "", ""
        if missing == ["bid and ask"] and PRICE in settled.names:
            return f"trades without bid and ask (fields: {shown})", "Record a channel with quotes"
        return f"no {', no '.join(missing)} among its fields ({shown})", "Name them"


def _surest(role: str, names: Counter[str]) -> str:
    most = max(names.values())
    often = [name for name, count in names.items() if 2 * count > most]
    return min(often, key=lambda name: (rank_of(name, role), name))
