"""Faults of candles strike the requests that a script names."""

import pytest

from barograph.simulated.candle_faults import CandleFault, CandleFaultKind, CandleFaults


def test_a_fault_strikes_its_requests_and_the_first_of_two_wins():
    faults = CandleFaults(
        [CandleFault(CandleFaultKind.DOWN, 2, 2), CandleFault(CandleFaultKind.LIMITED, 3, 2)]
    )
    struck = [faults.next() for _ in range(5)]
    down, limited = CandleFaultKind.DOWN, CandleFaultKind.LIMITED
    assert struck == [None, down, down, limited, None]
    assert (faults.requests, faults.struck) == (5, [2, 1])


@pytest.mark.parametrize("how", [{"request": 0}, {"count": 0}])
def test_requests_are_counted_from_one(how):
    with pytest.raises(ValueError, match="at least 1"):
        CandleFault(CandleFaultKind.DOWN, **how)
