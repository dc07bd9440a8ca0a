"""Rows of a series whose values remember: those of a first-order autoregression, for drift."""

import numpy as np

from barograph.evaluation.drift_fitting import KeyRows, reference
from barograph.evaluation.drift_limits import cadence_of
from barograph.types import FeatureRow, Prediction, Verdict
from queues import COLUMNS, FEATURE_SET, LIVE

CADENCE = cadence_of(LIVE.step_s)
START = 1_740_000_000 // CADENCE.window_s * CADENCE.window_s
TAU = 1.5


def remembering(count, seed=0, memory=0.8, scale=1.0):
    """(count, columns): independent stationary columns of mean 0 and deviation `scale`."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count + 200, len(COLUMNS))) * np.sqrt(1 - memory**2)
    values = np.zeros_like(noise)
    for row in range(1, len(noise)):
        values[row] = memory * values[row - 1] + noise[row]
    return scale * values[200:]


def seconds(count, start=START):
    return start + LIVE.step_s * np.arange(count)


def reference_of(values, start=START, keys=("north",), **more):
    rows = {key: KeyRows(seconds(len(values), start), values) for key in keys}
    return reference(
        rows,
        COLUMNS,
        cadence=CADENCE,
        feature_set=FEATURE_SET,
        span_ns=(start * 10**9, (start + len(values) * LIVE.step_s) * 10**9),
        value_now=LIVE.value_now,
        **({"tau": dict.fromkeys(keys, TAU)} | more),
    )


def feature_rows(values, start=START, product="north"):
    return [
        FeatureRow(
            product=product,
            second=int(second),
            feature_set=FEATURE_SET,
            receive_time_ns=None,
            values=[None if np.isnan(value) else float(value) for value in row],
            reasons="".join("1" if np.isnan(value) else "0" for value in row),
        )
        for second, row in zip(seconds(len(values), start), values, strict=True)
    ]


def predictions_of(values, probability, start=START, product="north", model="queues/1"):
    """One for each value now, which is never below 0."""
    return [
        Prediction(
            product=product, second=int(second), event_time_ns=(int(second) + 1) * 10**9,
            receive_time_ns=None, verdict=Verdict.PREDICTED, probability=float(p), alarm=False,
            threshold=0.5, tau=TAU, horizon_s=LIVE.horizon_s, value_now=float(abs(value)), mid=None,
            model=model,
        )
        for second, value, p in zip(
            seconds(len(values), start), values, np.broadcast_to(probability, len(values)),
            strict=True,
        )
    ]  # fmt: skip
