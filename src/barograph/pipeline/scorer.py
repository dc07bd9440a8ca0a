"""The scorer: feature rows in, predictions out. Before there is a model it runs a baseline.

A row is scored when the features that the model names are known; otherwise the prediction says why
it has no probability. Rows are scored one at a time, so a prediction never depends on the batch
that its row came in. A model that forecasts the value itself has intervals, which learn from each
row the outcome of the forecast of a horizon ago.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from barograph import codec
from barograph.arrays import Float32
from barograph.cases.cold_start import COLD_START
from barograph.cases.live_series import Baseline, LiveSeries
from barograph.codec import UNREADABLE, UnreadableError
from barograph.errors import ForeignStateError
from barograph.pipeline.intervals import ModelIntervals
from barograph.registry.model import TAU, Model, refuse_unusable
from barograph.types import (
    MAX_PRODUCTS,
    NS_PER_S,
    DeadLetter,
    Fault,
    FeatureRow,
    Outcome,
    Prediction,
    Reason,
    Record,
    Verdict,
)

# A feature that the venue does not offer cannot be waited for: no model serves this product.
_VERDICT_OF = {
    str(int(Reason.WARMUP)): Verdict.WARMUP,
    str(int(Reason.GAP)): Verdict.GAP,
    str(int(Reason.OUT_OF_RANGE)): Verdict.OUT_OF_RANGE,
    str(int(Reason.STALE)): Verdict.STALE,
    str(int(Reason.NOT_OFFERED)): Verdict.NO_MODEL,
}

_LARGEST = 3e38
"""Of what a record may hold."""

_BOTH = b"scorer/1 "
"""Begins a checkpoint that has intervals beside a baseline, or in place of one."""


class Scorer:
    """A machine: feature rows of a series in, predictions out. No clock, no I/O.

    stale_after_s: a row whose newest news is older than this gets the verdict STALE.
    """

    def __init__(
        self, live: LiveSeries, model: Model | None = None, *, stale_after_s: float = 30.0
    ) -> None:
        self._live, self._places = live, live.places
        self._value_now = self._places[live.value_now]
        self._staleness = None if live.staleness is None else self._places[live.staleness]
        self._stale_after_s = stale_after_s
        self._baselines: dict[str, Baseline] = {}
        self._changed: set[str] = set()
        self._intervals = ModelIntervals()
        self.model: Model | None = None
        self._needed: list[int] = []
        self._inputs: list[int] = []
        self.swap(model)

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on; model and features change in one step.

        Raises ForeignFeaturesError, and keeps the present model, when it needs other features, and
        UnsoundModelError when its facts are not sound. Another model's intervals begin with what
        its own training left.
        """
        if model is None:
            self._intervals.use(None)
            self.model = None
            return
        places = self._places
        # Besides features a model may take the tau of the question, which is appended.
        refuse_unusable(model, self._live.feature_set, {*places, TAU})
        self._intervals.use(model)
        self.model = model
        self._needed = [places[name] for name in model.facts.features if name in places]
        self._inputs = [places.get(name, len(places)) for name in model.facts.features]

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Return one prediction for each feature row, keyed by its product."""
        values: list[tuple[str, bytes]] = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            try:
                row = self._row(record)
                values.append((row.product, codec.encode(self.predict(row))))
            except UnreadableError as error:
                dead_letters.append(codec.dead(record, error.fault, error.detail))
        return Outcome(values, dead_letters)

    def predict(self, row: FeatureRow) -> Prediction:
        """Return the prediction for a row, given the rows before it.

        Raises UnreadableError, and forgets nothing and learns nothing, for a row that gives no
        reason why a value is missing.
        """
        model = self.model
        if model is None or row.product not in model.facts.tau:
            return self._cold_start(row)
        facts = model.facts
        event_time_ns = (row.second + 1) * NS_PER_S
        tau, value_now = facts.tau[row.product], row.values[self._value_now]
        probability = median = None
        verdict = self._verdict(row, self._needed)
        if value_now is not None:
            self._intervals.learn(row.product, row.second, value_now)
        if facts.expired(event_time_ns):
            verdict = Verdict.MODEL_EXPIRED
        if verdict is Verdict.PREDICTED:
            values = [*row.values, tau]
            x = np.array([[values[place] for place in self._inputs]], np.float32)
            probability, median = _forecast(model, x)
            # NaN too: features beyond all that it was made for
            if not (0.0 <= probability <= 1.0 and 0.0 <= (median or 0.0) <= _LARGEST):
                verdict, probability, median = Verdict.OUT_OF_RANGE, None, None
        prediction = self._prediction(
            row, verdict, probability, facts.threshold, tau, facts.horizon_s, model.label
        )
        return prediction if median is None else self._with_level(prediction, median)

    def _with_level(self, prediction: Prediction, median: float) -> Prediction:
        bounds = self._intervals.predict(prediction.product, prediction.second, median)
        if bounds is None or bounds.high > _LARGEST or bounds.root_mean_square > _LARGEST:
            return msgspec.structs.replace(prediction, median=median)
        return msgspec.structs.replace(
            prediction,
            median=bounds.median,
            forecast=bounds.root_mean_square,
            low=bounds.low,
            high=bounds.high,
        )

    def _cold_start(self, row: FeatureRow) -> Prediction:
        verdict, probability, tau = self._verdict(row, [self._value_now]), None, None
        baseline, value = self._baseline(row.product), row.values[self._value_now]
        if value is not None:
            baseline.learn(row.second, value)
            self._changed.add(row.product)
            if verdict is Verdict.PREDICTED:
                forecast = baseline.predict(value)
                if forecast is None:
                    verdict = Verdict.NO_MODEL
                else:
                    probability, tau = forecast
        horizon_s = self._live.horizon_s
        return self._prediction(
            row, verdict, probability, baseline.threshold, tau, horizon_s, COLD_START
        )

    def _baseline(self, product: str) -> Baseline:
        baseline = self._baselines.get(product)
        if baseline is None:
            if len(self._baselines) == MAX_PRODUCTS:
                why = f"there are {MAX_PRODUCTS:,} products already"
                raise UnreadableError(Fault.UNKNOWN_PRODUCT, why)
            baseline = self._baselines[product] = self._live.cold_start()
        return baseline

    def _verdict(self, row: FeatureRow, columns: Sequence[int]) -> Verdict:
        values = row.values
        for column in columns:
            if values[column] is None:
                verdict = _VERDICT_OF.get(row.reasons[column])
                if verdict is None:
                    why = f"{self._live.columns[column]} has neither a value nor a reason"
                    raise UnreadableError(Fault.WRONG_SHAPE, why)
                return verdict
        staleness_s = None if self._staleness is None else values[self._staleness]
        if staleness_s is not None and staleness_s > self._stale_after_s:
            return Verdict.STALE
        return Verdict.PREDICTED

    def snapshot(self) -> dict[str, bytes]:
        """Return the checkpoints of the products that changed since the last call."""
        changed, self._changed = self._changed | self._intervals.changed(), set()
        return {product: self._dump(product) for product in sorted(changed)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Restore baselines and intervals from their checkpoints; intervals of another model begin.

        Raises ForeignStateError for a checkpoint that is damaged or of another form.
        """
        for product, checkpoint in checkpoints.items():
            try:
                self._load(product, checkpoint)
            except ValueError as error:
                raise ForeignStateError(product) from error

    def _dump(self, product: str) -> bytes:
        baseline, intervals = self._baselines.get(product), self._intervals.dump(product)
        learned = None if baseline is None else baseline.dump()
        if learned is not None and intervals is None:
            return learned  # as it was before there were intervals
        return _BOTH + msgspec.msgpack.encode((learned, intervals))

    def _load(self, product: str, checkpoint: bytes) -> None:
        learned: bytes | None = checkpoint
        intervals = None
        if checkpoint.startswith(_BOTH):
            try:
                learned, intervals = msgspec.msgpack.decode(
                    checkpoint[len(_BOTH) :], type=tuple[bytes | None, bytes | None]
                )
            except UNREADABLE as error:
                raise ValueError(str(error)) from None
        if learned is not None:
            self._baseline(product).load(learned)
        if intervals is not None:
            self._intervals.load(product, intervals)

    def _row(self, record: Record) -> FeatureRow:
        """Return a row of this feature set. Raises UnreadableError for any other."""
        row, live = codec.decode_row.of(record), self._live
        if row.feature_set != live.feature_set:
            detail = f"made with feature set {row.feature_set}, not {live.feature_set}"
            raise UnreadableError(Fault.FOREIGN_FEATURES, detail)
        if len(row.values) != len(live.columns):
            detail = f"{len(row.values)} values, not {len(live.columns)}"
            raise UnreadableError(Fault.WRONG_SHAPE, detail)
        value = row.values[self._value_now]
        if value is not None and value < 0.0:
            raise UnreadableError(Fault.OUT_OF_RANGE, f"{live.value_now} is {value}, below 0")
        return row

    def _prediction(  # noqa: PLR0913 - the fields of one record, from both kinds of model
        self,
        row: FeatureRow,
        verdict: Verdict,
        probability: float | None,
        threshold: float,
        tau: float | None,
        horizon_s: int,
        label: str,
    ) -> Prediction:
        return Prediction(
            product=row.product,
            second=row.second,
            event_time_ns=(row.second + 1) * NS_PER_S,
            receive_time_ns=row.receive_time_ns,
            verdict=verdict,
            probability=probability,
            alarm=probability is not None and probability >= threshold,
            threshold=threshold,
            tau=tau,
            horizon_s=horizon_s,
            value_now=row.values[self._value_now],
            mid=None if row.log_mid_e9 is None else math.exp(row.log_mid_e9 * 1e-9),
            model=label,
        )


def _forecast(model: Model, x: Float32) -> tuple[float, float | None]:
    """Probability, and the median where the model forecasts the value, of one row (1, f)."""
    if model.facts.level is None:
        return float(model.onnx.predict(x)[0]), None
    probability, median = model.onnx.forecast(x)
    return float(probability[0]), None if median is None else float(median[0])
