"""The baseline that runs before there is a model."""

import msgspec
import pytest

from barograph.cases.cold_start import ColdStart
from barograph.cases.market import MARKET
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
