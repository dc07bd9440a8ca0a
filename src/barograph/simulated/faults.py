"""Apply scripted faults to the frames and requests of the simulated exchange.

Machines without socket and clock; market time is an argument. `LineFaults` belongs to one
connection, `ExchangeFaults` to the exchange. Script times are seconds of market time since the
exchange started, or, for a fault that names a connection, since that connection opened.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.tape import Beat, MarketEvent, Print
from barograph.simulated.voices import ANSWERS, OutgoingFrame
from barograph.times import format_time, parse_time

_FOR_EVER_NS = 2**63 - 1
_PRICE = re.compile(rb'"price":"[^"]*"')
_TIME = re.compile(rb'"(time|timestamp)":"([^"]*)"')
_CLOSES = {FaultKind.DISCONNECT, FaultKind.SLOW_READER}
_OF_FRAMES = {
    FaultKind.DROP,
    FaultKind.DUPLICATE,
    FaultKind.REORDER,
    FaultKind.GARBAGE,
    FaultKind.WRONG_TYPES,
    FaultKind.OVERSIZED,
    FaultKind.SILENCE,
    FaultKind.CLOCK_JUMP,
    FaultKind.HALF_OPEN,
}


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send these bytes; `fault` is the index in the script of the fault that applied, or None.

    Repeated and reordered frames carry their fault too, although their bytes are unchanged.
    """

    data: bytes
    frame: OutgoingFrame
    fault: int | None = None

    def is_text(self) -> bool:
        """Whether the bytes are UTF-8, as those of a frame without a fault always are."""
        try:
            self.data.decode()
        except UnicodeDecodeError:
            return False
        return True


class Withhold(NamedTuple):
    """Do not send this frame at all."""

    frame: OutgoingFrame
    fault: int


class Close(NamedTuple):
    """Close the connection with a close frame, or abort it if `code` is None."""

    time_ns: int
    fault: int | None = None
    code: int | None = None
    reason: str = ""


class Freeze(NamedTuple):
    """Stop sending, reading and answering, but keep the connection open."""

    time_ns: int
    fault: int


class Began(NamedTuple):
    """A fault without a frame took effect: a clock jump, a sequence restart, the end of a burst."""

    time_ns: int
    fault: int


Action = Send | Withhold | Close | Freeze | Began


class _Active:
    """A fault that is currently applied to frames."""

    def __init__(self, place: int, fault: ScriptedFault, begin_ns: int) -> None:
        self.place, self.fault = place, fault
        self.left = fault.count if fault.counted else None
        self.until_ns = _FOR_EVER_NS
        if fault.kind is FaultKind.SILENCE:
            self.until_ns = begin_ns + fault.span_ns
        self.held: list[tuple[bytes, OutgoingFrame]] = []

    def strikes(self, frame: OutgoingFrame) -> bool:
        fault = self.fault
        if fault.product is not None and fault.product not in frame.products:
            return False
        if fault.channel is not None:
            return frame.channel == fault.channel
        return fault.kind in {FaultKind.SILENCE, FaultKind.HALF_OPEN} or (
            frame.channel not in ANSWERS
        )


class LineFaults:
    """Applies a script to one connection: frames in, actions out.

    Faults that name no connection apply if they start after it opened or still last: a silence
    lasts for its span, a clock jump for ever. Besides clock jumps at most one fault applies to a
    frame: one that withholds everything, or else the first of the script.
    """

    def __init__(
        self, script: Sequence[ScriptedFault], connection: int, *, start_ns: int, opened_ns: int
    ) -> None:
        self._script = script
        waiting = []
        for place, fault in enumerate(script):
            begin_ns = begins_ns(fault, connection, start_ns=start_ns, opened_ns=opened_ns)
            if begin_ns is not None and fault.kind in _OF_FRAMES | _CLOSES:
                waiting.append((begin_ns, place))
        self._waiting = sorted(waiting, reverse=True)
        self._active: list[_Active] = []
        self._shift_ns = 0
        self._shifted_by = 0
        self._garbled = 0
        self.closed = False

    def take(self, frames: Sequence[OutgoingFrame], now_ns: int) -> list[Action]:
        """Return the actions for these frames, in order, and for market time reaching `now_ns`.

        Frames must be in time order and not later than `now_ns`. A Close is the last action.
        """
        due = self._waiting and self._waiting[-1][0] <= now_ns
        if not (due or self._active or self._shift_ns):
            return [Send(frame.data, frame) for frame in frames]
        actions: list[Action] = []
        for frame in frames:
            self._begin(frame.time_ns, actions)
            if not self.closed:
                self._pass(frame, actions)
        self._begin(now_ns, actions)
        return actions

    def end(self) -> list[Action]:
        """End the connection: withhold the frames that are still held back."""
        held = [Withhold(frame, each.place) for each in self._active for _, frame in each.held]
        self._active = []
        return list[Action](held)

    def _begin(self, now_ns: int, actions: list[Action]) -> None:
        while self._waiting and self._waiting[-1][0] <= now_ns and not self.closed:
            begin_ns, place = self._waiting.pop()
            fault = self._script[place]
            if fault.kind is FaultKind.DISCONNECT:
                self._close(Close(begin_ns, place, fault.code), actions)
            elif fault.kind is FaultKind.SLOW_READER:
                self._close(Close(begin_ns, place, 1008, "slow reader"), actions)
            elif fault.kind is FaultKind.CLOCK_JUMP:
                self._shift_ns += fault.span_ns
                self._shifted_by = place
                actions.append(Began(begin_ns, place))
            else:
                self._active.append(_Active(place, fault, begin_ns))
                self._active.sort(key=lambda active: (active.fault.counted, active.place))
                if fault.kind is FaultKind.HALF_OPEN:
                    actions.append(Freeze(begin_ns, place))

    def _close(self, close: Close, actions: list[Action]) -> None:
        actions += [*self.end(), close]
        self.closed = True

    def _pass(self, frame: OutgoingFrame, actions: list[Action]) -> None:
        data, by = frame.data, None
        if self._shift_ns and frame.channel not in ANSWERS:
            data, by = _shifted(data, self._shift_ns), self._shifted_by
        self._active = [active for active in self._active if frame.time_ns < active.until_ns]
        for active in self._active:
            if active.strikes(frame):
                self._strike(active, data, frame, actions)
                return
        actions.append(Send(data, frame, by))

    def _strike(
        self, active: _Active, data: bytes, frame: OutgoingFrame, actions: list[Action]
    ) -> None:
        """Apply a fault to a frame, whose bytes are `data` before it."""
        kind, place = active.fault.kind, active.place
        if active.left is not None:
            active.left -= 1
        if kind is FaultKind.REORDER:
            active.held.append((data, frame))
            if active.left == 0:
                actions += [Send(*held, place) for held in reversed(active.held)]
        elif kind is FaultKind.DUPLICATE:
            actions += [Send(data, frame), Send(data, frame, place)]
        elif kind is FaultKind.GARBAGE:
            self._garbled += 1
            actions.append(Send(_garbled(data, self._garbled), frame, place))
        elif kind is FaultKind.WRONG_TYPES:
            actions.append(Send(_mistyped(data), frame, place))
        elif kind is FaultKind.OVERSIZED:
            actions.append(Send(_padded(data, active.fault.size_bytes), frame, place))
        else:
            actions.append(Withhold(frame, place))
        if active.left == 0:
            self._active.remove(active)


class Lack(NamedTuple):
    """A failure of the trades endpoint: every `one_in`-th trade id is missing; 0: it is down."""

    fault: int
    one_in: int


class ExchangeFaults:
    """Applies a script to the exchange itself: halts, refused connections, REST failures."""

    def __init__(self, script: Sequence[ScriptedFault], start_ns: int) -> None:
        spans = [
            (place, fault, start_ns + fault.begins_ns, start_ns + fault.begins_ns + fault.span_ns)
            for place, fault in enumerate(script)
        ]
        self._halts = [span for span in spans if span[1].kind is FaultKind.HALT]
        self._rest = [
            span for span in spans if span[1].kind in {FaultKind.REST_DOWN, FaultKind.REST_PARTIAL}
        ]
        self._refusals = [
            [begin_ns, fault.count, place]
            for place, fault, begin_ns, _ in spans
            if fault.kind is FaultKind.REFUSE
        ]
        self._untraded: dict[str, int] = {}

    def take(self, events: Iterable[MarketEvent]) -> tuple[list[MarketEvent], set[int]]:
        """Remove the trades of halted products; return the events left and the faults that applied.

        Trade ids continue without a hole after a halt.
        """
        if not self._halts:
            return list(events), set()
        kept: list[MarketEvent] = []
        struck: set[int] = set()
        for event in events:
            place = self._halted(event)
            if place is not None and type(event) is Print:
                self._untraded[event.product] = self._untraded.get(event.product, 0) + 1
                struck.add(place)
            else:
                kept.append(_renumbered(event, self._untraded.get(event.product, 0)))
        return kept, struck

    def refuses(self, now_ns: int) -> int | None:
        """The fault that refuses a connection opened now, or None; counts the refusal."""
        for refusal in self._refusals:
            begin_ns, left, place = refusal
            if begin_ns <= now_ns and left:
                refusal[1] -= 1
                return place
        return None

    def rest(self, product: str, now_ns: int) -> Lack | None:
        """The current failure of the trades endpoint for this product, or None."""
        for place, fault, begin_ns, end_ns in self._rest:
            if begin_ns <= now_ns < end_ns and fault.product in {None, product}:
                down = fault.kind is FaultKind.REST_DOWN
                return Lack(place, 0 if down else fault.count)
        return None

    def _halted(self, event: MarketEvent) -> int | None:
        for place, fault, begin_ns, end_ns in self._halts:
            if begin_ns <= event.time_ns < end_ns and fault.product in {None, event.product}:
                return place
        return None


def begins_ns(
    fault: ScriptedFault, connection: int, *, start_ns: int, opened_ns: int
) -> int | None:
    """Market time at which a fault starts for a connection; None if it never applies."""
    if fault.connection is not None:
        return opened_ns + fault.begins_ns if fault.connection == connection else None
    begin_ns = start_ns + fault.begins_ns
    lasts = fault.kind is FaultKind.CLOCK_JUMP or begin_ns + fault.span_ns >= opened_ns
    return begin_ns if lasts else None


def _renumbered(event: MarketEvent, fewer: int) -> MarketEvent:
    if not fewer:
        return event
    if isinstance(event, Beat):
        return replace(event, last_trade_id=event.last_trade_id - fewer)
    return replace(event, trade_id=event.trade_id - fewer)


def _garbled(data: bytes, nth: int) -> bytes:
    """Invalid data: alternately truncated JSON and bytes that are not UTF-8."""
    return data[: len(data) // 2] if nth % 2 else b"\xff\xfe" + data


def _mistyped(data: bytes) -> bytes:
    """Replace the price, or else the time, by an object."""
    changed, replaced = _PRICE.subn(b'"price":{}', data, count=1)
    return changed if replaced else _TIME.sub(rb'"\1":{}', data, count=1)


def _padded(data: bytes, size_bytes: int) -> bytes:
    """Add a member that pads the object to `size_bytes`."""
    room = size_bytes - len(data) - len(b',"pad":""')
    return b'%b,"pad":"%b"}' % (data[:-1], b"x" * max(room, 0))


def _shifted(data: bytes, shift_ns: int) -> bytes:
    def moved(match: re.Match[bytes]) -> bytes:
        time_ns = max(parse_time(match[2].decode()) + shift_ns, 0)
        return b'"%b":"%b"' % (match[1], format_time(time_ns).encode())

    return _TIME.sub(moved, data)
