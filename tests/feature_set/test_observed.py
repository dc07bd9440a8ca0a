"""Windows that carry on over holes: what they know, and that they invent nothing."""

import numpy as np
import pytest

from barograph.feature_set.catalogue import COLUMN, least_observed
from barograph.types import Reason
from moving_quotes import START_S, gap, of, ticks
from whole_rows import whole


def test_a_hole_of_two_seconds_costs_no_row_after_it():
    events = np.concatenate([ticks(400), gap(400, 402), ticks(400, START_S + 402)])
    rows, _ = whole(events)
    after = rows["second"] >= START_S + 402
    assert np.isnan(of(rows, "realized_vol_300s")[after][:300]).all()
    known = of(rows, "observed_vol_300s")[after]
    assert known == pytest.approx(np.full(len(known), 1e-6), rel=1e-3)


def test_no_return_across_a_hole_is_counted():
    """The price doubles in the hole; no window knows."""
    later = ticks(100, START_S + 460)
    later["bid"] *= 2
    later["ask"] *= 2
    events = np.concatenate([ticks(400), gap(400, 460), later])
    rows, _ = whole(events)
    for name in ("observed_vol_120s", "observed_vol_3600s", "ewma_vol_60s"):
        seen = of(rows, name)
        assert seen[~np.isnan(seen)] == pytest.approx(1e-6, rel=1e-3)
    first = np.flatnonzero(rows["second"] == START_S + 460)[0]
    # 59 lost seconds, and this one, whose return lies across the hole.
    assert of(rows, "observed_share_60s")[first] == 0
    assert of(rows, "observed_share_300s")[first] == pytest.approx(239 / 300)


@pytest.mark.parametrize("window_s", [10, 30, 60, 3600])
def test_a_window_waits_for_its_fewest_known_returns(window_s):
    rows, _ = whole(ticks(120))
    known = ~np.isnan(of(rows, f"observed_vol_{window_s}s"))
    # The first second has no return.
    assert np.flatnonzero(known)[0] == least_observed(window_s)
    assert rows["reasons"][0, COLUMN[f"observed_vol_{window_s}s"]] == Reason.WARMUP


def test_after_a_hole_as_long_as_the_longest_window_nothing_is_left():
    events = np.concatenate([ticks(400), gap(400, 5000), ticks(20, START_S + 5000, 9000)])
    rows, _ = whole(events)
    after = rows["second"] >= START_S + 5000
    assert of(rows, "observed_share_3600s")[after].tolist() == [n / 3600 for n in range(19)]
    assert np.isnan(of(rows, "observed_vol_3600s")[after]).all()


def test_an_older_session_knows_nothing_of_the_later_one():
    back = gap(400, -1000)
    rows, _ = whole(np.concatenate([ticks(400), back, ticks(50, START_S - 1000)]))
    older = rows["second"] < START_S
    assert of(rows, "observed_share_3600s")[older].tolist() == [n / 3600 for n in range(49)]
