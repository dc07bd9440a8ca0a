"""A registry's models for tests: small graphs and their facts."""

import msgspec

from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.learning.relative import Ratio, Relative
from barograph.registry.model import ModelFacts, sha256_of
from handmade_models import linear

FEATURES = ("realized_vol_10s", "realized_vol_60s")


SECOND = 1_765_000_000_000_000_000


def graph(bias: float = 0.0) -> bytes:
    logs = Relative.of([Ratio(name) for name in FEATURES])
    return linear(FEATURES, [0.5, 1.0], bias=bias, mean=-10.0, view=logs, name="har").to_onnx()


def facts_of(onnx: bytes, **changes) -> ModelFacts:
    facts = ModelFacts(
        case="spikes",
        candidate="har",
        features=FEATURES,
        feature_set=FEATURE_SET_HASH,
        tau={"BTC-USD": 5.6e-5, "ETH-USD": 7e-5},
        threshold=0.4,
        horizon_s=60,
        train_start_ns=SECOND,
        train_end_ns=SECOND + 10**13,
        data_hash="d" * 16,
        seed=7,
        sha256=sha256_of(onnx),
        scores={"test": {"pr_auc": 0.31, "lead_time_s": None}, "persistence": {"pr_auc": 0.25}},
        created_time_ns=SECOND + 2 * 10**13,
    )
    return msgspec.structs.replace(facts, **changes)
