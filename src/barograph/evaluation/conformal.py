"""Prediction intervals of a positive series, by adaptive conformal inference.

The residual of a forecast is ln v − ln median, v the value that came. An interval goes from one to
another of the last `window` residuals of the forecasts for the same part of the day; which ones is
moved a little after each outcome, so that the share of values below and above stays right while the
series changes. Sources: Vovk, Gammerman, Shafer (2005), Algorithmic Learning in a Random World;
Gibbs, Candès (2021), NeurIPS 34.

A machine: the same forecasts and outcomes give the same bits, whenever the state was stored between
them. Residuals are integers, in millionths.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from barograph.arrays import Bool, Float64, Int64
from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.types import DAY_S, Measure, Second

_MILLION, _BILLION = 10**6, 10**9
_FARTHEST = 20 * _MILLION
_UNIT = 2**40
"""Of the exponentials, which are summed as integers so that a sum can be taken back exactly."""

_WIDEST = _BILLION // 2

FLOOR = 1e-7
"""Smaller values count as this, where no other floor is given."""

Residual = Annotated[int, Meta(ge=-_FARTHEST, le=_FARTHEST)]
Tail = Annotated[int, Meta(ge=0, le=_WIDEST)]


class LevelRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the level of a series is forecast: with intervals that hold `coverage` of the values.

    The day (UTC) has `slots` equal parts, by the moment at which a forecast is made; each keeps its
    last `window` residuals, and moves its two tail levels by `step` of their error after each
    outcome. Values below `floor` count as `floor`. With `centred` the median that is told is the
    model's times exp(mean residual of its slot): for models whose residuals have another mean than
    those that they were fitted on. A model is promoted only if
    the share of tested values that its intervals covered is not surely below `narrowest` or above
    `widest`. Raises BadInputError for invalid values.
    """

    coverage: float = 0.9
    slots: int = 4
    window: int = 500
    step: float = 0.005
    floor: float = FLOOR
    centred: bool = False
    narrowest: float = 0.88
    widest: float = 0.92

    def __post_init__(self) -> None:
        """Validate the values."""
        if not 0.0 < self.coverage < 1.0:
            why = f"a coverage of {self.coverage:g} is no share between 0 and 1"
        elif self.slots < 1 or DAY_S % self.slots:
            why = f"{self.slots} slots do not divide a day"
        elif self.window < self.least:
            why = f"{self.window} residuals are too few, {self.least} are needed"
        elif not 0.0 <= self.step < 1.0 or not self.floor > 0.0:
            why = f"its step is {self.step:g} and its floor {self.floor:g}"
        else:
            return
        raise BadInputError("a level", why, "Correct it")

    @property
    def tail(self) -> float:
        """The share of values that may lie below an interval, and above it."""
        return (1.0 - self.coverage) / 2

    @property
    def least(self) -> int:
        """The fewest residuals of which an interval can be made: one of them lies in each tail."""
        return math.ceil(round(1.0 / self.tail, 9)) - 1

    def slot(self, second: int) -> int:
        """The part of the day of a forecast made at the end of `second`."""
        return (second + 1) % DAY_S * self.slots // DAY_S


class Bounds(NamedTuple):
    """An interval around a median, two means of the value, and its median, all in its unit.

    `root_mean_square` is the forecast whose square is the expected square: QLIKE's functional.
    """

    low: float
    high: float
    mean: float
    root_mean_square: float
    median: float


class SlotState(msgspec.Struct, frozen=True):
    """One slot: its residuals in order of arrival, and its tail levels in billionths."""

    residuals: list[Residual]
    below: Tail
    above: Tail


class Waiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A forecast without outcome: its second, its median, and its bounds as residuals if any."""

    second: Second
    median: Measure
    low: Residual | None
    high: Residual | None


class IntervalState(msgspec.Struct, frozen=True):
    """All that intervals of one key have learned."""

    slots: list[SlotState]
    waiting: list[Waiting] = []


class _Slot:
    """The residuals of one part of the day: in order of arrival, in order of size, and summed."""

    def __init__(self, state: SlotState, window: int) -> None:
        self.below, self.above = state.below, state.above
        self._window = window
        self._arrived: deque[int] = deque()
        self._sorted: list[int] = []
        self._sum = self._sum_of_squares = self._sum_of_logs = 0
        for residual in state.residuals:
            self.add(residual)

    @property
    def count(self) -> int:
        return len(self._arrived)

    @property
    def state(self) -> SlotState:
        return SlotState(list(self._arrived), self.below, self.above)

    def add(self, residual: int) -> None:
        self._count(residual, 1)
        self._arrived.append(residual)
        insort(self._sorted, residual)
        if len(self._arrived) > self._window:
            oldest = self._arrived.popleft()
            self._count(oldest, -1)
            del self._sorted[bisect_left(self._sorted, oldest)]

    def ends(self) -> tuple[int, int]:
        """The residuals at both ends of the interval, by rank among one more than there are."""
        n = self.count
        low = max(1, (n + 1) * self.below // _BILLION)
        high = max(1, (n + 1) * self.above // _BILLION)
        return self._sorted[low - 1], self._sorted[n - high]

    def means(self) -> tuple[float, float]:
        """Mean of exp(residual), and the root of the mean of its square."""
        total = self.count * _UNIT
        return self._sum / total, math.sqrt(self._sum_of_squares / total)

    def centre(self) -> float:
        """Exp of the mean residual."""
        return math.exp(self._sum_of_logs / (self.count * _MILLION))

    def _count(self, residual: int, sign: int) -> None:
        factor = math.exp(residual / _MILLION)
        self._sum += sign * round(factor * _UNIT)
        self._sum_of_squares += sign * round(factor * factor * _UNIT)
        self._sum_of_logs += sign * residual


class Intervals:
    """Prediction intervals of one key of a series; forecasts come in the order of their seconds.

    horizon_s: how far a forecast looks ahead; its outcome is the value `horizon_s` later.
    """

    FORM = "intervals/1"

    def __init__(
        self, level: LevelRule, horizon_s: int, state: IntervalState | None = None
    ) -> None:
        self._level, self._horizon_s = level, horizon_s
        self._tail = round(level.tail * _BILLION)
        self._set(state or IntervalState([SlotState([], self._tail, self._tail)] * level.slots))

    @property
    def state(self) -> IntervalState:
        """All that was learned."""
        return IntervalState([slot.state for slot in self._slots], list(self._waiting))

    def settled(self) -> IntervalState:
        """All that was learned, without the forecasts that wait for their outcome."""
        return IntervalState([slot.state for slot in self._slots])

    def predict(self, second: int, median: float) -> Bounds | None:
        """The interval around the `median` of a forecast made at the end of `second`.

        None while its slot has too few residuals. A second forecast of a second, or an earlier one,
        has no outcome.
        """
        slot = self._slots[self._level.slot(second)]
        self._drop_before(second - self._horizon_s)
        known = slot.count >= self._level.least
        low, high = slot.ends() if known else (None, None)
        if not self._waiting or second > self._waiting[-1].second:
            self._waiting.append(Waiting(second, median, low, high))
        if low is None or high is None:
            return None
        centre = max(median, self._level.floor)
        mean, root = slot.means()
        return Bounds(
            low=centre * math.exp(low / _MILLION),
            high=centre * math.exp(high / _MILLION),
            mean=centre * mean,
            root_mean_square=centre * root,
            median=median * slot.centre() if self._level.centred else median,
        )

    def learn(self, second: int, value: float) -> None:
        """Learn the value at the end of `second`; earlier forecasts than due get no outcome."""
        due = second - self._horizon_s
        self._drop_before(due)
        if self._waiting and self._waiting[0].second == due:
            self._learn(self._waiting.popleft(), value)

    def dump(self) -> bytes:
        """Serialise all that was learned as a checkpoint."""
        return msgspec.msgpack.encode((self.FORM, self.state))

    def load(self, checkpoint: bytes) -> None:
        """Restore a checkpoint. Raises ValueError for one of another form or number of slots."""
        try:
            form, state = msgspec.msgpack.decode(checkpoint, type=tuple[str, IntervalState])
        except UNREADABLE as error:
            raise ValueError(str(error)) from None
        if form != self.FORM:
            raise ValueError("another form")
        self._set(state)

    def _set(self, state: IntervalState) -> None:
        level = self._level
        if not fits(level, state) or len(state.waiting) > self._horizon_s + 1:
            raise ValueError("another level")
        self._slots = [_Slot(slot, level.window) for slot in state.slots]
        self._waiting = deque(state.waiting)

    def _drop_before(self, second: int) -> None:
        while self._waiting and self._waiting[0].second < second:
            self._waiting.popleft()

    def _learn(self, forecast: Waiting, value: float) -> None:
        level = self._level
        slot = self._slots[level.slot(forecast.second)]
        residual = residual_of(forecast.median, value, level.floor)
        if forecast.low is not None and forecast.high is not None:
            slot.below = self._moved(slot.below, missed=residual < forecast.low)
            slot.above = self._moved(slot.above, missed=residual > forecast.high)
        slot.add(residual)

    def _moved(self, tail: int, *, missed: bool) -> int:
        """The tail level after an outcome: lower if the value was outside, else higher."""
        moved = tail + round(self._level.step * (self._tail - (_BILLION if missed else 0)))
        return min(max(moved, 0), _WIDEST)


def fits(level: LevelRule, state: IntervalState) -> bool:
    """Whether intervals of this level can begin with a state."""
    short = all(len(slot.residuals) <= level.window for slot in state.slots)
    return short and len(state.slots) == level.slots


def residual_of(median: float, value: float, floor: float) -> int:
    """Ln value − ln median in millionths, both at least `floor`; at most ±20."""
    log = math.log(max(value, floor)) - math.log(max(median, floor))
    return min(max(round(log * _MILLION), -_FARTHEST), _FARTHEST)


def seeded(
    level: LevelRule, horizon_s: int, second: Int64, median: Float64, value: Float64
) -> Intervals:
    """Intervals that know the residuals of held-out rows: (n,) each, in any order."""
    latest: list[list[int]] = [[] for _ in range(level.slots)]
    for row in np.argsort(second, kind="stable")[::-1].tolist():
        of_slot = latest[level.slot(int(second[row]))]
        if len(of_slot) < level.window:
            of_slot.append(residual_of(float(median[row]), float(value[row]), level.floor))
    tail = round(level.tail * _BILLION)
    slots = [SlotState(of_slot[::-1], tail, tail) for of_slot in latest]
    return Intervals(level, horizon_s, IntervalState(slots))


class Replayed(NamedTuple):
    """What intervals said row by row: (n,) each; NaN where there were too few residuals."""

    low: Float64
    high: Float64
    mean: Float64
    root_mean_square: Float64
    median: Float64


def replay(
    intervals: Intervals, horizon_s: int, second: Int64, median: Float64, value: Float64
) -> Replayed:
    """Forecast the rows of one key as live: each outcome is learned a horizon after its forecast.

    second: (n,) increasing; median: (n,) forecasts; value: (n,) their outcomes. The intervals have
    learned all outcomes afterwards.
    """
    out = np.full((len(second), len(Replayed._fields)), np.nan)
    seconds, medians, values = second.tolist(), median.tolist(), value.tolist()
    matured = 0
    for row, now in enumerate(seconds):
        while matured < row and seconds[matured] + horizon_s <= now:
            intervals.learn(seconds[matured] + horizon_s, values[matured])
            matured += 1
        bounds = intervals.predict(now, medians[row])
        if bounds is not None:
            out[row] = bounds
    for row in range(matured, len(seconds)):
        intervals.learn(seconds[row] + horizon_s, values[row])
    return Replayed(*out.T)


def covered(value: Float64, low: Float64, high: Float64) -> Bool:
    """(n,) whether the values lie within their intervals."""
    inside: Bool = (low <= value) & (value <= high)
    return inside
