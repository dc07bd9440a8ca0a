"""The baseline that runs before there is a model."""

import msgspec
import pytest

from barograph.cases.cold_start import ColdStart
from barograph.cases.market import MARKET, market_series
from barograph.errors import ForeignStateError
from barograph.pipeline.scorer import Scorer


def test_a_baseline_does_not_count_across_missing_seconds():
    baseline = ColdStart()
    for second in [*range(100), *range(130, 200)]:
        baseline.learn(second, 1e-4)
    pairs = sum(s + 60 in {*range(100), *range(130, 200)} for s in [*range(100), *range(130, 200)])
    assert baseline.later.sum() == pairs


@pytest.mark.parametrize("kept", [b"", b"x", msgspec.msgpack.encode((b"", []))])
def test_a_checkpoint_that_is_none_is_refused_by_name(kept):
    with pytest.raises(ForeignStateError, match="BTC-USD"):
        Scorer(MARKET).restore({"BTC-USD": kept})


def test_nothing_is_said_before_as_many_pairs_as_were_asked_for():
    baseline = ColdStart(horizon_s=2, least_seen=5)
    for second in range(6):
        baseline.learn(second, 1e-4)
    assert baseline.predict(1e-4) is None
    baseline.learn(6, 1e-4)
    assert baseline.predict(1e-4) is not None


def test_a_longer_horizon_begins_with_ten_of_its_own():
    baseline = market_series(300).cold_start()
    for second in range(3299):
        baseline.learn(second, 1e-4)
    assert baseline.predict(1e-4) is None
    baseline.learn(3299, 1e-4)
    assert baseline.predict(1e-4) is not None
    with pytest.raises(ValueError, match="another form"):
        MARKET.cold_start().load(baseline.dump())
