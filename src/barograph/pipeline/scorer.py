"""The scorer: feature rows in, predictions out. Before there is a model it runs a baseline.

A row is scored when the features that the model names are known; otherwise the prediction says why
it has no probability. Rows are scored one at a time, so a prediction never depends on the batch
that its row came in.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from barograph import codec
from barograph.codec import UnreadableError
from barograph.errors import ForeignFeaturesError, ForeignStateError
from barograph.evaluation.labels import HORIZON_S
from barograph.features.catalogue import COLUMN, FEATURE_SET_HASH, NAMES
from barograph.pipeline.cold_start import COLD_START, ColdStart
from barograph.registry.model import TAU, Model, refuse_unsound
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

ASKED = frozenset({*NAMES, TAU})
"""What a model may ask for: features, and the tau that it is asked about."""

_VOL = COLUMN["realized_vol_60s"]
_STALENESS = COLUMN["staleness_s"]

# A feature that the venue does not offer cannot be waited for: no model serves this product.
_VERDICT_OF = {
    str(int(Reason.WARMUP)): Verdict.WARMUP,
    str(int(Reason.GAP)): Verdict.GAP,
    str(int(Reason.OUT_OF_RANGE)): Verdict.OUT_OF_RANGE,
    str(int(Reason.STALE)): Verdict.STALE,
    str(int(Reason.NOT_OFFERED)): Verdict.NO_MODEL,
}


class Scorer:
    """A machine: records of ticks.features in, predictions out. No clock, no I/O.

    stale_after_s: a row whose last tick is older than this gets the verdict STALE.
    """

    def __init__(self, model: Model | None = None, *, stale_after_s: float = 30.0) -> None:
        self._stale_after_s = stale_after_s
        self._baselines: dict[str, ColdStart] = {}
        self._changed: set[str] = set()
        self._model: Model | None = None
        self._needed: list[int] = []
        self._inputs: list[int] = []
        self.swap(model)

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on; model and features change in one step.

        Raises ForeignFeaturesError, and keeps the present model, when it needs other features, and
        UnsoundModelError when its facts are not sound.
        """
        if model is None:
            self._model = None
            return
        if model.facts.feature_set != FEATURE_SET_HASH:
            raise ForeignFeaturesError(model.label, model.facts.feature_set, FEATURE_SET_HASH)
        refuse_unsound(model.label, model.facts, ASKED)
        self._model = model
        self._needed = [COLUMN[name] for name in model.facts.features if name in COLUMN]
        # Beside features a model may ask for the tau that it is asked about, which is put behind.
        self._inputs = [COLUMN.get(name, len(NAMES)) for name in model.facts.features]

    def receive(self, records: Sequence[Record]) -> Outcome:
        """One prediction for each feature row, under its product."""
        values: list[tuple[str, bytes]] = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            try:
                row = _row(record)
                values.append((row.product, codec.encode(self.predict(row))))
            except UnreadableError as error:
                dead_letters.append(codec.dead(record, error.fault, error.detail))
        return Outcome(values, dead_letters)

    def predict(self, row: FeatureRow) -> Prediction:
        """The prediction that follows from a row and the rows before it.

        Raises UnreadableError, and forgets nothing and learns nothing, for a row that gives no
        reason why a value is missing.
        """
        model = self._model
        if model is None or row.product not in model.facts.tau:
            return self._cold_start(row)
        facts = model.facts
        event_time_ns = (row.second + 1) * NS_PER_S
        tau = facts.tau[row.product]
        probability = None
        verdict = self._verdict(row, self._needed)
        if facts.expired(event_time_ns):
            verdict = Verdict.MODEL_EXPIRED
        if verdict is Verdict.PREDICTED:
            values = [*row.values, tau]
            x = np.array([[values[place] for place in self._inputs]], np.float32)
            probability = float(model.onnx.predict(x)[0])
            if not 0.0 <= probability <= 1.0:  # NaN too: features beyond all that it was made for
                verdict, probability = Verdict.OUT_OF_RANGE, None
        return _prediction(
            row, verdict, probability, facts.threshold, tau, facts.horizon_s, model.label
        )

    def _cold_start(self, row: FeatureRow) -> Prediction:
        verdict, probability, tau = self._verdict(row, [_VOL]), None, None
        vol = row.values[_VOL]
        if vol is not None:
            baseline = self._baseline(row.product)
            baseline.learn(row.second, vol)
            self._changed.add(row.product)
            if verdict is Verdict.PREDICTED:
                said = baseline.predict(vol)
                if said is None:
                    verdict = Verdict.NO_MODEL
                else:
                    probability, tau = said
        return _prediction(
            row, verdict, probability, ColdStart.THRESHOLD, tau, HORIZON_S, COLD_START
        )

    def _baseline(self, product: str) -> ColdStart:
        baseline = self._baselines.get(product)
        if baseline is None:
            if len(self._baselines) == MAX_PRODUCTS:
                why = f"there are {MAX_PRODUCTS:,} products already"
                raise UnreadableError(Fault.UNKNOWN_PRODUCT, why)
            baseline = self._baselines[product] = ColdStart()
        return baseline

    def _verdict(self, row: FeatureRow, columns: Sequence[int]) -> Verdict:
        values = row.values
        for column in columns:
            if values[column] is None:
                verdict = _VERDICT_OF.get(row.reasons[column])
                if verdict is None:
                    why = f"{NAMES[column]} has neither a value nor a reason"
                    raise UnreadableError(Fault.WRONG_SHAPE, why)
                return verdict
        staleness_s = row.values[_STALENESS]
        if staleness_s is not None and staleness_s > self._stale_after_s:
            return Verdict.STALE
        return Verdict.PREDICTED

    def snapshot(self) -> dict[str, bytes]:
        """The baselines that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {product: self._baselines[product].dump() for product in sorted(changed)}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take the baselines up where their checkpoints left them.

        Raises ForeignStateError for a checkpoint that is damaged or of another form.
        """
        for product, checkpoint in checkpoints.items():
            try:
                self._baseline(product).load(checkpoint)
            except ValueError as error:
                raise ForeignStateError(product) from error


def _row(record: Record) -> FeatureRow:
    """A row of our own catalogue; raises UnreadableError."""
    row = codec.decode_row.of(record)
    if row.feature_set != FEATURE_SET_HASH:
        detail = f"made with feature set {row.feature_set}, not {FEATURE_SET_HASH}"
        raise UnreadableError(Fault.FOREIGN_FEATURES, detail)
    if len(row.values) != len(NAMES):
        raise UnreadableError(Fault.WRONG_SHAPE, f"{len(row.values)} values, not {len(NAMES)}")
    return row


def _prediction(  # noqa: PLR0913 - the fields of one record, from both kinds of model
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
        spike=probability is not None and probability >= threshold,
        threshold=threshold,
        tau=tau,
        horizon_s=horizon_s,
        realized_vol_60s=row.values[_VOL],
        mid=math.exp(row.log_mid_e9 * 1e-9),
        model=label,
    )
