"""What is predicted before there is a model: persistence, calibrated on what came so far."""

import math
from collections import deque

import msgspec
import numpy as np

from barograph import codec
from barograph.evaluation.labels import HORIZON_S
from barograph.types import Count, Second

COLD_START = "persistence/cold-start"
"""The model name of predictions made before there is a model."""

_LOWEST_VOLATILITY = 1e-8

_Kept = tuple[str, bytes, list[tuple[Second, Count]]]


class ColdStart:
    """The persistence baseline of one key, calibrated on what it has seen so far.

    The value now and the one `horizon_s` seconds later are counted together in `BINS` bins of a
    quarter of their size, the lowest of them below `lowest`·1.25, the highest unbounded. From the
    counts follow tau (the 0.90 quantile of all values seen) and, for the bin of now, the share of
    those later at or above it, shrunk towards the overall share. Without further words it is that
    of the market: 60 seconds, volatilities from 1e-8/√s.
    """

    FORM = "cold-start/1"
    BINS = 64
    LEAST_SEEN = 600
    SHRINKAGE = 30.0
    _WIDTH = math.log(1.25)

    def __init__(self, *, horizon_s: int = HORIZON_S, lowest: float = _LOWEST_VOLATILITY) -> None:
        self.later = np.zeros((self.BINS, self.BINS), np.uint32)
        self.waiting: deque[tuple[int, int]] = deque()
        self._horizon_s, self._lowest = horizon_s, math.log(lowest)
        # Checkpoints of the market are as they were when there was no other series.
        of_market = (horizon_s, lowest) == (HORIZON_S, _LOWEST_VOLATILITY)
        self._form = self.FORM if of_market else f"{self.FORM} {horizon_s} {lowest!r}"

    @property
    def threshold(self) -> float:
        """The probability from which on a prediction is an alarm."""
        return 0.5

    def learn(self, second: int, value: float) -> None:
        """Count a known value, in the order of seconds."""
        place = self._place(value)
        if self.waiting and second <= self.waiting[-1][0]:
            self.waiting.clear()  # time went back: nothing that waits is followed by this
        while self.waiting and self.waiting[0][0] < second - self._horizon_s:
            self.waiting.popleft()
        if self.waiting and self.waiting[0][0] == second - self._horizon_s:
            self.later[self.waiting.popleft()[1], place] += 1
        self.waiting.append((second, place))

    def predict(self, value: float) -> tuple[float, float] | None:
        """(probability, tau), or None before `LEAST_SEEN` pairs were counted."""
        seen = self.later.sum(axis=0)
        total = int(seen.sum())
        if total < self.LEAST_SEEN:
            return None
        spike = int(np.searchsorted(np.cumsum(seen), 0.9 * total, side="right"))
        overall = seen[spike:].sum() / total
        from_here = self.later[self._place(value)]
        hits = float(from_here[spike:].sum()) + self.SHRINKAGE * float(overall)
        probability = hits / (float(from_here.sum()) + self.SHRINKAGE)
        return probability, math.exp(self._lowest + spike * self._WIDTH)

    def dump(self) -> bytes:
        """The checkpoint."""
        return msgspec.msgpack.encode((self._form, self.later.tobytes(), list(self.waiting)))

    def load(self, checkpoint: bytes) -> None:
        """Take up from a checkpoint; ValueError for one of another form, horizon or lowest."""
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
