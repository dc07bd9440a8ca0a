"""How far a product is before it has a probability: complete seconds, pairs learned, what is known.

A prediction says only that it has none yet. The feature rows tell the rest: which windows are full
gives the run of complete seconds, and their values are known long before there is a model.
"""

from collections import deque
from typing import NamedTuple

from barograph.cases.cold_start import COLD_START, ColdStart
from barograph.cases.market import MARKET
from barograph.evaluation.labels import came_due
from barograph.feature_set.catalogue import COLUMN, FEATURES
from barograph.registry.model import Model
from barograph.types import FeatureRow, Prediction, Reason, Verdict

_WARMUP_S = tuple(feature.warmup_s for feature in FEATURES)
# A window that carries on over holes says nothing about the seconds since the last one.
_EMPTIED = tuple((f.warmup_s, COLUMN[f.name]) for f in FEATURES if not f.window_s)
_VALUE_NOW = COLUMN[MARKET.value_now]
_VOLATILITIES = tuple((w, COLUMN[f"realized_vol_{w}s"]) for w in (10, 30, 60, 300, 900))
_SPREAD = COLUMN["spread_bps"]
_NOT_OFFERED = str(int(Reason.NOT_OFFERED))
_FILLS_WINDOWS = frozenset({Verdict.WARMUP, Verdict.GAP, Verdict.OUT_OF_RANGE, Verdict.STALE})


class Known(NamedTuple):
    """What is known of a product so far: spread in bps, volatility in 1/√s by window in seconds."""

    spread_bps: float | None
    volatility: dict[int, float]


class Wait(NamedTuple):
    """What a first probability waits for: `have` of `need`, and the seconds left without a gap.

    learning: pairs of the baseline are counted; otherwise complete seconds of the longest window.
    What a window that carries on over holes still knows is not counted: it may be full earlier.
    """

    learning: bool
    have: int
    need: int
    left_s: int


def warmups_s(model: Model | None) -> dict[str, int]:
    """The longest window in seconds of a model's features, by its label; empty without a model."""
    if model is None:
        return {}
    windows = [_WARMUP_S[COLUMN[name]] for name in model.facts.features if name in COLUMN]
    return {model.label: max(windows, default=0)}


class Progress:
    """The way of one product to its first probability, from its feature rows in order.

    `run_s`: complete seconds since the last hole, as far as the rows given tell. `learned`: pairs
    of a value and the one a horizon later among them, which is what the baseline counts.
    """

    def __init__(self) -> None:
        self.run_s = self.learned = 0
        self.known = Known(None, {})
        self._second: int | None = None
        self._waiting: deque[int] = deque()

    def take(self, row: FeatureRow) -> None:
        """Take the next row; one of other columns, or not later than the last, is ignored."""
        if len(row.values) != len(FEATURES) or len(row.reasons) != len(FEATURES):
            return
        if self._second is not None and row.second <= self._second:
            return
        # A run's first second has a mid and no return yet.
        count = self.run_s + 1 if self._second == row.second - MARKET.step_s else 0
        self._second = row.second
        longest, least_missing = 0, None
        for warmup_s, place in _EMPTIED:
            if row.values[place] is not None:
                longest = max(longest, warmup_s)
            elif row.reasons[place] != _NOT_OFFERED:
                least_missing = min(warmup_s, least_missing or warmup_s)
        # A feature that lacks only a lost quote says nothing about the run.
        if least_missing is not None and least_missing > longest:
            count = min(count, least_missing - 1)
        self.run_s = max(longest, count)
        self.known = Known(
            row.values[_SPREAD],
            {w: value for w, place in _VOLATILITIES if (value := row.values[place]) is not None},
        )
        if row.values[_VALUE_NOW] is not None:
            self._learn(row.second)

    def wait(self, prediction: Prediction, warmup_s: int | None) -> Wait | None:
        """What the product waits for, None where it has a probability or time alone cures nothing.

        prediction: its newest. warmup_s: the longest window of the model's features; not used for
        the baseline, None where the model is not known.
        """
        baseline = prediction.model == COLD_START
        need = _WARMUP_S[_VALUE_NOW] if baseline else warmup_s
        if prediction.verdict in _FILLS_WINDOWS and need is not None:
            have = min(self.run_s, need)
            left_s = need - have + (self._learning_s() if baseline else 0)
            return Wait(learning=False, have=have, need=need, left_s=left_s)
        if prediction.verdict is Verdict.NO_MODEL and baseline and self.known.volatility:
            have = min(self.learned, ColdStart.LEAST_SEEN - 1)
            left_s = max(1, self._learning_s())
            return Wait(learning=True, have=have, need=ColdStart.LEAST_SEEN, left_s=left_s)
        return None

    def _learn(self, second: int) -> None:
        self.learned += came_due(self._waiting, second - MARKET.horizon_s)
        self._waiting.append(second)

    def _learning_s(self) -> int:
        """Seconds until the baseline has its pairs, from the first or the next known value on."""
        missing = max(0, ColdStart.LEAST_SEEN - self.learned)
        if not missing:
            return 0
        waited = 0 if not self._waiting else self._waiting[-1] - self._waiting[0]
        return missing + max(0, MARKET.horizon_s - 1 - waited)
