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


_Kept = tuple[str, bytes, list[tuple[Second, Count]]]


class ColdStart:
    """The persistence baseline of one product, calibrated on what it has seen so far.

    Volatility now and `HORIZON_S` seconds later are counted together in bins of a quarter of their
    size. From the counts follow tau (the 0.90 quantile of all volatilities seen) and, for the bin
    of now, the share of those later at or above it, shrunk towards the overall share.
    """

    FORM = "cold-start/1"
    BINS = 64
    LEAST_SEEN = 600
    SHRINKAGE = 30.0
    THRESHOLD = 0.5
    _LOWEST = math.log(1e-8)
    _WIDTH = math.log(1.25)

    def __init__(self) -> None:
        self.later = np.zeros((self.BINS, self.BINS), np.uint32)
        self.waiting: deque[tuple[int, int]] = deque()

    def learn(self, second: int, vol: float) -> None:
        """Count a known volatility, in the order of seconds."""
        place = self._place(vol)
        if self.waiting and second <= self.waiting[-1][0]:
            self.waiting.clear()  # time went back: nothing that waits is followed by this
        while self.waiting and self.waiting[0][0] < second - HORIZON_S:
            self.waiting.popleft()
        if self.waiting and self.waiting[0][0] == second - HORIZON_S:
            self.later[self.waiting.popleft()[1], place] += 1
        self.waiting.append((second, place))

    def predict(self, vol: float) -> tuple[float, float] | None:
        """(probability, tau), or None before `LEAST_SEEN` pairs were counted."""
        seen = self.later.sum(axis=0)
        total = int(seen.sum())
        if total < self.LEAST_SEEN:
            return None
        spike = int(np.searchsorted(np.cumsum(seen), 0.9 * total, side="right"))
        overall = seen[spike:].sum() / total
        mine = self.later[self._place(vol)]
        hits = float(mine[spike:].sum()) + self.SHRINKAGE * float(overall)
        probability = hits / (float(mine.sum()) + self.SHRINKAGE)
        return probability, math.exp(self._LOWEST + spike * self._WIDTH)

    def dump(self) -> bytes:
        """The checkpoint."""
        return msgspec.msgpack.encode((self.FORM, self.later.tobytes(), list(self.waiting)))

    def load(self, checkpoint: bytes) -> None:
        """Take up from a checkpoint; raises ValueError for one that this version did not write."""
        try:
            form, later, waiting = msgspec.msgpack.decode(checkpoint, type=_Kept)
        except codec.UNREADABLE as error:
            raise ValueError(str(error)) from None
        fits = len(waiting) <= HORIZON_S and all(place < self.BINS for _, place in waiting)
        if form != self.FORM or len(later) != self.later.nbytes or not fits:
            raise ValueError("another form")
        self.later = np.frombuffer(later, np.uint32).reshape(self.BINS, self.BINS).copy()
        self.waiting = deque(waiting)

    def _place(self, vol: float) -> int:
        if vol <= 0.0:
            return 0
        place = int((math.log(vol) - self._LOWEST) / self._WIDTH)
        return min(max(place, 0), self.BINS - 1)
