"""The drift reference of a training: the rows of its model's fit, and its tested forecasts."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from barograph.cases.case import Case, Dataset
from barograph.cases.live_series import LiveSeries
from barograph.evaluation.drift import Reference
from barograph.evaluation.drift_calibration import Residuals
from barograph.evaluation.drift_fitting import KeyRows, reference
from barograph.evaluation.drift_limits import cadence_of
from barograph.registry.model import ModelFacts
from barograph.training.pooled import Pooled
from barograph.training.walkforward import CHOSEN, Walk
from barograph.types import NS_PER_S


def reference_of(
    case: Case, dataset: Dataset, walked: Walk, pooled: Pooled, facts: ModelFacts
) -> Reference | None:
    """The reference of the model with these facts; None for a case whose rows have no time.

    Its rows are those of the dataset in the span that the model was fitted on, also unusable ones.
    A model that is registered as its last fold tested it was not fitted on the test of that fold.
    Of a sampled history only the complete rows are of use: blocks of time need all their seconds.
    """
    live = case.live
    if live is None:
        return None
    columns = _columns(walked.table.features, live)
    start, end = facts.train_start_ns // NS_PER_S, facts.train_end_ns // NS_PER_S
    if dataset.sample is not None:
        start = max(start, dataset.sample.complete_from_s)
    second = pl.col("second")
    frame = dataset.frame.filter(second.is_between(start, end, closed="left"))
    if not case.refit:
        tested = walked.table.order[walked.questions[-1].fold.test]
        frame = frame.filter(~second.is_between(int(tested.min()), int(tested.max())))
    return reference(
        rows_of(frame, columns),
        columns,
        cadence=cadence_of(live.step_s),
        feature_set=live.feature_set,
        span_ns=(
            facts.train_start_ns if dataset.sample is None else start * NS_PER_S,
            facts.train_end_ns,
        ),
        tau=facts.tau,
        value_now=live.value_now,
        residuals=_residuals(walked, pooled),
    )


def rows_of(frame: pl.DataFrame, columns: Sequence[str]) -> Mapping[str, KeyRows]:
    """The rows of a series' dataset by key, with NaN for what is not known."""
    parts = frame.partition_by("product", as_dict=True, maintain_order=True)
    return {
        str(key[0]): KeyRows(
            part["second"].to_numpy().astype(np.int64),
            part.select(pl.col(list(columns)).cast(pl.Float64).fill_null(np.nan)).to_numpy(),
        )
        for key, part in parts.items()
    }


def _columns(features: Sequence[str], live: LiveSeries) -> tuple[str, ...]:
    """The features that a row has, and the value that is forecast."""
    names = [name for name in features if name in live.columns]
    return tuple(dict.fromkeys([*names, live.value_now]))


def _residuals(walked: Walk, pooled: Pooled) -> dict[str, Residuals]:
    table, probability = walked.table, pooled.probability[CHOSEN]
    key = table.key[pooled.rows]
    return {
        name: Residuals(
            second=table.order[pooled.rows[key == place]],
            probability=probability[key == place],
            y=pooled.y[key == place],
        )
        for place, name in enumerate(table.keys)
    }
