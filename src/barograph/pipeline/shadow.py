"""The shadow: what the candidate says of the live rows, beside the champion.

So that the two can be compared on rows that neither was trained on, before the candidate is
champion. The shadow never speaks for anything but the candidate's own model.
"""

from collections.abc import Mapping, Sequence

from barograph import codec
from barograph.cases.live_series import LiveSeries
from barograph.pipeline.scorer import Scorer
from barograph.registry.model import Model
from barograph.types import APPENDED_TIME, Outcome, Record


class Shadow:
    """A machine: feature rows of a series in, predictions made with the candidate's model out.

    Passed over are all rows while there is no candidate, rows that the log took before the
    candidate was made, and products that its model does not know. Of a row that cannot be used it
    makes nothing: the scorer beside it makes the dead letter. It remembers nothing but the
    candidate's intervals.
    """

    def __init__(
        self, live: LiveSeries, model: Model | None = None, *, stale_after_s: float = 30.0
    ) -> None:
        self._scorer = Scorer(live, model, stale_after_s=stale_after_s)

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on.

        Raises as `Scorer.swap` does, and keeps the present model.
        """
        self._scorer.swap(model)

    def receive(self, records: Sequence[Record]) -> Outcome:
        """Return one prediction for each row that is not passed over, keyed by its product."""
        if self._scorer.model is None:
            return Outcome([], [])
        facts = self._scorer.model.facts
        made = [
            each
            for each in records
            if (codec.natural(each.headers.get(APPENDED_TIME)) or 0) >= facts.created_time_ns
        ]
        predictions = self._scorer.receive(made).values
        # The scorer has a baseline for a product that the model does not know.
        return Outcome([each for each in predictions if each[0] in facts.tau], [])

    def snapshot(self) -> dict[str, bytes]:
        """Return the checkpoints of the products whose intervals changed since the last call."""
        model = self._scorer.model
        if model is None or model.facts.level is None:
            return {}
        changed = self._scorer.snapshot()
        return {product: changed[product] for product in changed if product in model.facts.tau}

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Restore intervals from their checkpoints; raises as `Scorer.restore` does."""
        self._scorer.restore(checkpoints)
