"""The scorer of records that stand each for itself: what its contract and its model make of one.

It has no memory: the prediction follows from the record, the model and the time at which
the log took it.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from barograph import codec
from barograph.cases.contract import Contract, RecordRefusedError
from barograph.registry.model import Model, refuse_unusable
from barograph.types import (
    APPENDED_TIME,
    DeadLetter,
    Fault,
    Outcome,
    Record,
    RecordPrediction,
    Verdict,
)


def scorer_group(case: str) -> str:
    """The consumer group that scores the records of a case."""
    return f"{case}-scorer"


class RecordScorer:
    """A machine: records of a case in, a `RecordPrediction` for each under its key out.

    A record that does not keep the contract, or lies under another key than its own, becomes a dead
    letter. Where a model expires, records that the log took later get the verdict MODEL_EXPIRED.
    """

    def __init__(self, case: str, contract: Contract, model: Model | None = None) -> None:
        self._case, self._contract = case, contract
        self._model: Model | None = None
        self._columns: list[int] = []
        self.swap(model)

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on; model and features change in one step.

        Raises ForeignFeaturesError, and keeps the present model, when it needs other features, and
        UnsoundModelError when its facts are not sound.
        """
        if model is None:
            self._model, self._columns = None, []
            return
        refuse_unusable(model, self._contract.feature_set, self._contract.features)
        places = {name: place for place, name in enumerate(self._contract.features)}
        self._model, self._columns = model, [places[name] for name in model.facts.features]

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Return one prediction or dead letter for each record."""
        accepted: list[tuple[Record, msgspec.Struct]] = []
        dead_letters: list[DeadLetter] = []
        for record in records:
            try:
                accepted.append((record, self._words(record)))
            except RecordRefusedError as refused:
                dead_letters.append(codec.dead(record, refused.fault, refused.detail))
        probabilities = self._probabilities([words for _, words in accepted])
        values = [
            (record.key, codec.encode(self._prediction(record, probability)))
            for (record, _), probability in zip(accepted, probabilities, strict=True)
        ]
        return Outcome(values, dead_letters)

    def _words(self, record: Record) -> msgspec.Struct:
        words = self._contract.decode(record.value)
        key = self._contract.key_of(words)
        if key != record.key:
            # Order and tracing follow the record's key in the log.
            raise RecordRefusedError(
                Fault.WRONG_SHAPE,
                f"$.{self._contract.key}: the record of {key[: codec.LONGEST_KEY]!r} lies under "
                f"the key {record.key[: codec.LONGEST_KEY]!r}",
            )
        return words

    def _probabilities(self, accepted: list[msgspec.Struct]) -> list[float | None]:
        if self._model is None or not accepted:
            return [None] * len(accepted)
        x = np.array([self._contract.numbers(words) for words in accepted], np.float32)
        x = np.ascontiguousarray(x[:, self._columns])
        predict = self._model.onnx.predict
        # Row by row, so that no prediction depends on the batch; but in one loop, which takes half
        # the time of scoring rows between other work.
        return [float(predict(x[row : row + 1])[0]) for row in range(len(x))]

    def _prediction(self, record: Record, probability: float | None) -> RecordPrediction:
        verdict, threshold, label = Verdict.NO_MODEL, None, ""
        if self._model is not None:
            facts, label = self._model.facts, self._model.label
            verdict, threshold = Verdict.PREDICTED, facts.threshold
            if facts.expired(codec.natural(record.headers.get(APPENDED_TIME)) or 0):
                verdict, probability = Verdict.MODEL_EXPIRED, None
            elif probability is not None and not 0.0 <= probability <= 1.0:
                verdict, probability = Verdict.OUT_OF_RANGE, None
        return RecordPrediction(
            case=self._case,
            key=record.key,
            verdict=verdict,
            probability=probability,
            label=probability is not None and threshold is not None and probability >= threshold,
            threshold=threshold,
            model=label,
        )

    def snapshot(self) -> dict[str, bytes]:
        """Return no checkpoints: the machine has no memory."""
        return {}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Do nothing: the machine has no memory."""
