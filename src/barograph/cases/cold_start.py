"""Predictions before there is a model: persistence, calibrated on the values so far."""

import math
from collections import deque

import msgspec
import numpy as np

from barograph import codec
from barograph.evaluation.labels import HORIZON_S
from barograph.types import Count, Second

COLD_START = "persistence/cold-start"
"""Model name of these predictions."""

_LOWEST_VOLATILITY = 1e-8

_Kept = tuple[str, bytes, list[tuple[Second, Count]]]


class ColdStart:
    """The persistence baseline of one key, calibrated on its values so far.

    Pairs of the current value and the value `horizon_s` seconds later are counted in `BINS` by
    `BINS` logarithmic bins of ratio 1.25, the lowest below `lowest`·1.25, the highest unbounded.
    The counts give tau (the 0.90 quantile of all later values) and, for the bin of the current
    value, the share of later values at or above tau, shrunk towards the overall share; nothing
    is said before `least_seen` pairs. The defaults are those of the market: 60 seconds,
    volatilities from 1e-8/√s.
    """

    FORM = "cold-start/1"
    BINS = 64
    LEAST_SEEN = 600
    SHRINKAGE = 30.0
    _WIDTH = math.log(1.25)

    def __init__(
        self,
        *,
        horizon_s: int = HORIZON_S,
        lowest: float = _LOWEST_VOLATILITY,
        least_seen: int = LEAST_SEEN,
    ) -> None:
        self.later = np.zeros((self.BINS, self.BINS), np.uint32)
        self.waiting: deque[tuple[int, int]] = deque()
        self._horizon_s, self._lowest, self._least_seen = horizon_s, math.log(lowest), least_seen
        # The market's checkpoints keep the form they had before other series existed.
        of_market = (horizon_s, lowest) == (HORIZON_S, _LOWEST_VOLATILITY)
        self._form = self.FORM if of_market else f"{self.FORM} {horizon_s} {lowest!r}"

    @property
    def threshold(self) -> float:
        """Probability from which a prediction is an alarm."""
        return 0.5

    def learn(self, second: int, value: float) -> None:
        """Count the value of `second`; call it in the order of seconds."""
        place = self._place(value)
        if self.waiting and second <= self.waiting[-1][0]:
            self.waiting.clear()  # time went back: this value follows none of those waiting
        while self.waiting and self.waiting[0][0] < second - self._horizon_s:
            self.waiting.popleft()
        if self.waiting and self.waiting[0][0] == second - self._horizon_s:
            self.later[self.waiting.popleft()[1], place] += 1
        self.waiting.append((second, place))

    def predict(self, value: float) -> tuple[float, float] | None:
        """(probability, tau) at the current `value`; None before `least_seen` counted pairs."""
        seen = self.later.sum(axis=0)
        total = int(seen.sum())
        if total < self._least_seen:
            return None
        spike = int(np.searchsorted(np.cumsum(seen), 0.9 * total, side="right"))
        overall = seen[spike:].sum() / total
        from_here = self.later[self._place(value)]
        hits = float(from_here[spike:].sum()) + self.SHRINKAGE * float(overall)
        probability = hits / (float(from_here.sum()) + self.SHRINKAGE)
        return probability, math.exp(self._lowest + spike * self._WIDTH)

    def dump(self) -> bytes:
        """Serialise the state as a checkpoint."""
        return msgspec.msgpack.encode((self._form, self.later.tobytes(), list(self.waiting)))

    def load(self, checkpoint: bytes) -> None:
        """Restore a checkpoint. Raises ValueError for another form, horizon or lowest value."""
        try:
            form, later, waiting = msgspec.msgpack.decode(checkpoint, type=_Kept)
        except codec.UNREADABLE as error:
            raise ValueError(str(error)) from None
        fits = len(waiting) <= self._horizon_s and all(place < self.BINS for _, place in waiting)
        if form != self._form or len(later) != self.later.nbytes or not fits:
            raise ValueError("another form")
        self.later = np.frombuffer(later, np.uint32).reshape(self.BINS, self.BINS).copy()
        self.waiting = deque(waiting)

    def _place(self, value: float) -> int:
        if value <= 0.0:
            return 0
        place = int((math.log(value) - self._lowest) / self._WIDTH)
        return min(max(place, 0), self.BINS - 1)
