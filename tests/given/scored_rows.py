"""Feature rows and models for tests of those who score."""

import math

import numpy as np

from barograph.feature_set.catalogue import COLUMN, FEATURE_SET_HASH, FEATURES
from barograph.registry.model import Model, ModelFacts
from barograph.types import FeatureRow

USED = ("realized_vol_60s", "realized_vol_300s")


class Doubling:
    """A model whose probability is a known function of its input."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def predict(self, x):
        assert x.dtype == np.float32
        return np.minimum(1.0, self.factor * x[:, 0].astype(float) * 1e3)


def model(label="spikes/1", onnx=None, **facts):
    known = {
        "case": "spikes", "candidate": "lightgbm", "features": USED,
        "feature_set": FEATURE_SET_HASH, "tau": {"BTC-USD": 1e-4}, "threshold": 0.4,
        "horizon_s": 60, "train_start_ns": 0, "train_end_ns": 1, "data_hash": "d", "seed": 1,
        "sha256": "s", "scores": {}, "created_time_ns": 0,
    }  # fmt: skip
    return Model(label, ModelFacts(**{**known, **facts}), onnx or Doubling())


def row(second, *, vol=1e-4, product="BTC-USD", missing=None, staleness=0.5, **more):
    values = [0.0] * len(FEATURES)
    reasons = ["0"] * len(FEATURES)
    values[COLUMN["realized_vol_60s"]] = vol
    values[COLUMN["staleness_s"]] = staleness
    for name, reason in (missing or {}).items():
        values[COLUMN[name]], reasons[COLUMN[name]] = None, str(int(reason))
    known = {
        "product": product, "second": second, "feature_set": FEATURE_SET_HASH,
        "log_mid_e9": round(math.log(50_000) * 1e9), "return_e9": 0, "receive_time_ns": 5,
        "values": values, "reasons": "".join(reasons),
    }  # fmt: skip
    return FeatureRow(**{**known, **more})
