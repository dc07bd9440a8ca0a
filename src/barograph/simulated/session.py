"""One reader's connection to the simulated exchange, without its socket: market in, actions out.

Events are put into groups that are told together, the voice makes frames of them, and the script
does to the frames what it does. No clock: `now_ns` is the market's, and never falls.
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
    """What one connection is told; see the module.

    `window_ns`: trades that follow the first of a group within it are told with it. So Advanced
    Trade has several tickers in one frame; with 0 those of one moment only. Groups follow from the
    events alone, however these are dealt out.
    """

    def __init__(  # noqa: PLR0913 - which connection, beside what
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
        """Each channel with its products."""
        return {name: list(products) for name, products in self._voice.subscribed.items()}

    def receive(self, message: bytes, now_ns: int, last: Mapping[str, Print]) -> list[Action]:
        """What a reader's message leads to; `last` has each product's last trade so far."""
        return self._faults.take(self._voice.receive(message, now_ns, last), now_ns)

    def advance(self, events: Iterable[MarketEvent], now_ns: int) -> list[Action]:
        """What the market's events up to `now_ns` lead to, and the time having come."""
        actions: list[Action] = []
        frames: list[OutgoingFrame] = []
        for time_ns, group in self._groups(events, now_ns, actions):
            self._restart(time_ns, actions)
            frames += self._voice.tell(group, time_ns)
        self._restart(now_ns, actions)
        return actions + self._faults.take(frames, now_ns)

    def end(self) -> list[Action]:
        """The connection is gone: what was held back never came."""
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
