"""One row scored, as the worker scores it, beside LightGBM's own call on one row."""

import time
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from barograph.arrays import Float32
from barograph.cases.market import MARKET
from barograph.cases.spikes import WANTED
from barograph.codec import decode_numbers, decode_row, encode, event_array
from barograph.evaluation import labels
from barograph.feature_set.catalogue import COLUMN, FEATURE_SET_HASH
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.rows import feature_rows
from barograph.learning.candidates import Slices, lightgbm
from barograph.learning.examples import Examples
from barograph.learning.fitted import Fitted, Trees
from barograph.pipeline.scorer import Scorer
from barograph.registry.model import Model, ModelFacts, OnnxModel, export, sha256_of
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.types import NS_PER_S, FeatureRow, Verdict
from barograph.venues.coinbase.exchange import ExchangeFeed
from measure import Measured, row, sized

PRODUCT = "BTC-USD"
_HOURS = 6
_START_S = 1_760_000_000
_SCORED = 2000


class Trained(NamedTuple):
    """A model of the candidate `lightgbm` on simulated history, and rows of that history."""

    fitted: Fitted
    model: Model
    onnx: bytes
    x: Float32
    rows: list[FeatureRow]


@cache
def trained() -> Trained:
    """Train once, 120 trees: what is timed is only scoring."""
    hours = sized(_HOURS, 2)
    market = SimulatedMarket(PRESETS["market"], [PRODUCT], 1, _START_S * NS_PER_S)
    venue, featurizer = ExchangeFeed(), Featurizer()
    numbers = [
        decode_numbers(encode(event))
        for frame in market.advance(hours * 3600)
        for event in venue.receive(frame).events
    ]
    rows, _ = featurizer.update(event_array(numbers, featurizer.product_index))
    vol = rows["values"][:, COLUMN["realized_vol_60s"]]
    label = labels.later(rows["second"], vol, horizon_s=labels.HORIZON_S)
    features = tuple(
        name for name in WANTED if not np.isnan(rows["values"][-600:, COLUMN[name]]).any()
    )
    x = rows["values"][:, [COLUMN[name] for name in features]].astype(np.float32)
    usable = ~np.isnan(label) & ~np.isnan(x).any(axis=1)
    rows, label, x = rows[usable], label[usable], np.ascontiguousarray(x[usable])
    tau = labels.tau(label)
    first, second, third = (Examples(x[part], label[part] >= tau) for part in _thirds(len(x)))
    fitted = lightgbm(features).fit(Slices(first, ((second, third),)), 1)
    onnx = export(fitted, x)
    model = Model("spikes/1", _facts(features, tau, onnx), OnnxModel(onnx, len(features)))
    kept = slice(-_SCORED, None)
    # As the log would carry them: what is not known is None.
    words = feature_rows(rows[kept], [PRODUCT], FEATURE_SET_HASH)
    return Trained(
        fitted,
        model,
        onnx,
        np.ascontiguousarray(x[kept]),
        [decode_row(encode(word)) for word in words],
    )


def _thirds(n: int) -> list[slice]:
    return [slice(0, n // 2), slice(n // 2, 3 * n // 4), slice(3 * n // 4, n)]


def _facts(features: tuple[str, ...], tau: float, onnx: bytes) -> ModelFacts:
    return ModelFacts(
        case="spikes",
        candidate="lightgbm",
        features=features,
        feature_set=FEATURE_SET_HASH,
        tau={PRODUCT: tau},
        threshold=0.5,
        horizon_s=labels.HORIZON_S,
        train_start_ns=_START_S * NS_PER_S,
        train_end_ns=(_START_S + sized(_HOURS, 2) * 3600) * NS_PER_S,
        data_hash="",
        seed=1,
        sha256=sha256_of(onnx),
        scores={},
        created_time_ns=0,
    )


@row("one scored row, p99 (LightGBM as ONNX)", "µs", ("ours", "<=", 200), less_is_better=True)
def one_row(repeats: int) -> Measured:
    """From a feature row to its prediction; the peer is `Booster.predict` of one row of floats."""
    fitted, model, _, x, rows = trained()
    scorer = Scorer(MARKET, model)
    for place, feature_row in enumerate(rows):
        prediction = scorer.predict(feature_row)
        assert prediction.verdict is Verdict.PREDICTED
        assert prediction.probability is not None
        assert abs(prediction.probability - fitted.predict(x[place : place + 1])[0]) <= 1e-6
    timed = [
        (_p99_us([lambda r=r: scorer.predict(r) for r in rows]), _p99_us(_booster_calls(fitted, x)))
        for _ in range(repeats)
    ]
    return Measured(*(float(np.median(side)) for side in zip(*timed, strict=True)))


def _booster_calls(fitted: Fitted, x: Float32) -> list[Any]:
    assert isinstance(fitted.core, Trees)
    predict: Any = fitted.core.raw
    return [lambda one=x[i : i + 1]: predict(one, num_threads=1) for i in range(len(x))]


def _p99_us(calls: list[Any]) -> float:
    took = []
    for call in calls:
        started = time.perf_counter_ns()
        call()
        took.append(time.perf_counter_ns() - started)
    return float(np.percentile(took, 99)) / 1000
