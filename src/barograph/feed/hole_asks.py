"""Which holes are requested from REST, when, how often, and when they are given up."""

from collections.abc import Callable, Iterable

from barograph.venues.entries import Hole, Settlement

RIPE_S = 0.25
"""Frames that were reordered, and trades of another channel, may come until then by themselves."""

TRIES = 3
TRY_FOR_S = 5.0
"""How many seconds one hole is requested from REST, from its first request on."""

HOLD_FOR_S = 15.0
"""How long a hole may last in all. Requests have a rate, so many holes at once wait for a turn."""

_PAUSES_S = (0.25, 1.0)
LARGEST = 10_000
"""A hole of more trades is not requested: its pages would hold its product too long."""

_Key = tuple[str, str, int | None]


class _Ask:
    """The requests made for one hole; times are the caller's monotonic clock, in seconds."""

    __slots__ = ("due_s", "out", "since_s", "tries")

    def __init__(self, now_s: float) -> None:
        self.due_s, self.since_s = now_s + RIPE_S, now_s + RIPE_S
        self.tries = 0
        self.out = False


class Asks:
    """The open holes of a feed and the requests for each; `holes_asked` counts those requested.

    `ask` is called with a hole to request and for how many seconds; `answered` must follow, when
    everything that REST gave has been taken. A hole is settled after `hold_for_s` at the latest,
    whether that follows or not.
    """

    def __init__(
        self,
        ask: Callable[[Hole, float], None],
        *,
        try_for_s: float = TRY_FOR_S,
        hold_for_s: float = HOLD_FOR_S,
    ) -> None:
        self.holes_asked = 0
        self._ask, self._try_for_s, self._hold_for_s = ask, try_for_s, hold_for_s
        self._known: dict[_Key, _Ask] = {}

    def look(self, holes: Iterable[Hole], now_s: float) -> list[Settlement]:
        """Request what is due, and return those of the open holes that must be settled now."""
        open_now = {_key(hole): hole for hole in holes}
        self._known = {key: self._known.get(key) or _Ask(now_s) for key in open_now}
        settled: list[Settlement] = []
        for key, hole in open_now.items():
            ask = self._known[key]
            if now_s < ask.since_s:
                continue
            if now_s - ask.since_s > self._hold_for_s or (
                not ask.out and self._hopeless(hole, ask, now_s)
            ):
                # The caller takes it before the next look, so the hole is gone by then.
                settled.append(Settlement(connection=hole.connection, product=hole.product))
                continue
            if ask.out or now_s < ask.due_s:
                continue
            # The time limit starts with the first request; a later one has what is left.
            left_s = ask.since_s + self._try_for_s - now_s if ask.tries else self._try_for_s
            self.holes_asked += not ask.tries
            ask.tries += 1
            ask.out = True
            self._ask(hole, left_s)
        return settled

    def answered(self, hole: Hole, now_s: float) -> None:
        """Note that a request has ended; a hole that is still open is requested again soon."""
        ask = self._known.get(_key(hole))
        if ask is not None:
            ask.out = False
            if ask.tries < TRIES:
                ask.due_s = now_s + _PAUSES_S[ask.tries - 1]

    def _hopeless(self, hole: Hole, ask: _Ask, now_s: float) -> bool:
        return (
            not hole.unknown  # only quotes are missing, and REST has none
            or hole.last_trade_id - hole.first_trade_id >= LARGEST
            or ask.tries == TRIES
            or (ask.tries > 0 and now_s - ask.since_s >= self._try_for_s)
        )


def _key(hole: Hole) -> _Key:
    """A product has one open hole at a time; what revealed it tells it from the one before."""
    return hole.connection, hole.product, hole.receive_time_ns
