"""One connection to the simulated exchange, without its socket: events in, actions out.

Events are grouped, the voice turns groups into frames, and the script's faults are applied to the
frames. No clock: `now_ns` is market time and never decreases.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from barograph.simulated.fault_script import FaultKind, ScriptedFault
from barograph.simulated.faults import Action, Began, LineFaults, begins_ns
from barograph.simulated.tape import MarketEvent, Print
from barograph.simulated.voices import AdvancedVoice, OutgoingFrame, voice
from barograph.venues.entries import Dialect


class _Burst(NamedTuple):
    begin_ns: int
    end_ns: int
    fault: int


class Session:
    """The machine of one connection.

    `window_ns`: trades within this time of a group's first trade share its frame, as Advanced Trade
    batches tickers; with 0 only simultaneous trades do. Groups depend on the events alone, not on
    how calls are split.
    """

    def __init__(  # noqa: PLR0913 - the connection, its market and script
        self,
        dialect: Dialect,
        products: Sequence[str],
        script: Sequence[ScriptedFault] = (),
        *,
        number: int = 1,
        start_ns: int = 0,
        opened_ns: int = 0,
        window_ns: int = 0,
    ) -> None:
        self._voice = voice(dialect, products)
        self._faults = LineFaults(script, number, start_ns=start_ns, opened_ns=opened_ns)
        self._window_ns = window_ns
        self._group: list[MarketEvent] = []
        self._closes_ns = 0
        self._bursts: list[_Burst] = []
        self._restarts: list[tuple[int, int]] = []
        for place, fault in enumerate(script):
            begin_ns = begins_ns(fault, number, start_ns=start_ns, opened_ns=opened_ns)
            if begin_ns is not None and fault.kind is FaultKind.BURST:
                self._bursts.append(_Burst(begin_ns, begin_ns + fault.span_ns, place))
            elif begin_ns is not None and fault.kind is FaultKind.SEQUENCE_RESTART:
                self._restarts.append((begin_ns, place))
        self._restarts.sort(reverse=True)

    @property
    def subscribed(self) -> dict[str, list[str]]:
        """Products of each subscribed channel."""
        return {name: list(products) for name, products in self._voice.subscribed.items()}

    def receive(self, message: bytes, now_ns: int, last: Mapping[str, Print]) -> list[Action]:
        """Handle a reader's message; `last` has each product's last trade so far."""
        return self._faults.take(self._voice.receive(message, now_ns, last), now_ns)

    def advance(self, events: Iterable[MarketEvent], now_ns: int) -> list[Action]:
        """Handle the market's events up to `now_ns`, and faults due by then."""
        actions: list[Action] = []
        frames: list[OutgoingFrame] = []
        for time_ns, group in self._groups(events, now_ns, actions):
            self._restart(time_ns, actions)
            frames += self._voice.frames(group, time_ns)
        self._restart(now_ns, actions)
        return actions + self._faults.take(frames, now_ns)

    def end(self) -> list[Action]:
        """End the connection: withhold the frames that are still held back."""
        return self._faults.end()

    def _groups(
        self, events: Iterable[MarketEvent], now_ns: int, actions: list[Action]
    ) -> Iterator[tuple[int, list[MarketEvent]]]:
        if not self._voice.subscribed:
            return
        for event in events:
            if self._group and event.time_ns > self._closes_ns:
                yield self._closes_ns, self._group
                self._group = []
            if not self._group:
                self._closes_ns = self._closing_ns(event.time_ns, actions)
            self._group.append(event)
        if self._group and now_ns >= self._closes_ns:
            yield self._closes_ns, self._group
            self._group = []

    def _closing_ns(self, time_ns: int, actions: list[Action]) -> int:
        for burst in self._bursts:
            if burst.begin_ns <= time_ns < burst.end_ns:
                actions.append(Began(burst.begin_ns, burst.fault))
                return burst.end_ns
        return time_ns + self._window_ns

    def _restart(self, now_ns: int, actions: list[Action]) -> None:
        while self._restarts and self._restarts[-1][0] <= now_ns:
            begin_ns, fault = self._restarts.pop()
            if isinstance(self._voice, AdvancedVoice):
                self._voice.restart()
                actions.append(Began(begin_ns, fault))
