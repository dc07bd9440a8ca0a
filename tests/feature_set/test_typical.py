"""Typical volatility: most minutes decide it, holes and other sessions add nothing."""

import math

import numpy as np
import pytest

from barograph.feature_set.catalogue import COLUMN, TYPICAL_S
from barograph.feature_set.typical import FLOOR
from moving_quotes import START_S, gap, joined, of, ticks
from whole_rows import whole

NAMES = [f"typical_vol_{window_s}s" for window_s in TYPICAL_S]


def test_a_storm_of_one_minute_moves_it_less_than_the_root_mean_square():
    rows, _ = whole(joined(ticks(1200), ticks(60, START_S + 1200, 100_000)))
    typical, squared = (of(rows, f"{kind}_vol_1800s")[-1] for kind in ("typical", "observed"))
    assert squared > 15e-6
    assert 1e-6 < typical < 1.3e-6


def test_it_is_known_where_the_last_minute_is():
    """A longer wait would cost rows after each hole."""
    rows, _ = whole(np.concatenate([ticks(400), gap(400, 460), ticks(400, START_S + 460)]))
    minute = ~np.isnan(of(rows, "observed_vol_60s"))
    for name in NAMES:
        assert not np.isnan(of(rows, name)[minute]).any()
        first = np.flatnonzero(minute)[0]
        assert of(rows, name)[first] == pytest.approx(of(rows, "observed_vol_60s")[first], 1e-7)


def test_minutes_without_a_move_count_as_the_floor():
    rows, _ = whole(ticks(200, move_e9=0))
    assert of(rows, "typical_vol_900s")[-1] == pytest.approx(FLOOR, rel=1e-7)


@pytest.mark.parametrize("window_s", TYPICAL_S)
def test_a_minute_leaves_with_its_first_second(window_s):
    rows, _ = whole(joined(ticks(300, move_e9=50_000), ticks(window_s + 2, START_S + 300)))
    values = of(rows, f"typical_vol_{window_s}s")
    last = rows["second"] == START_S + 300 + window_s - 1
    # The first minute of all that are left began with the last wild return, then it has left.
    assert values[np.roll(last, -1)] > 1.0003e-6
    assert values[last] == pytest.approx([1e-6], rel=1e-5)


def test_a_gap_takes_back_the_minutes_that_it_says_were_lost():
    """As if they had not come, and later minutes join those from before."""
    lost = np.concatenate([ticks(400), gap(300, 420), ticks(100, START_S + 420)])
    never = np.concatenate([ticks(300), gap(300, 420), ticks(100, START_S + 420)])
    (told, _), (kept, _) = whole(lost), whole(never)
    for name in NAMES:
        # exact: integer windows
        np.testing.assert_array_equal(of(told, name)[-50:], of(kept, name)[-50:])


def test_an_older_session_knows_nothing_of_the_later_one():
    older = ticks(50, START_S - 1000, 9000)
    rows, _ = whole(np.concatenate([ticks(400), gap(400, -1000), older]))
    alone, _ = whole(older)
    before = rows["second"] < START_S
    for name in NAMES:
        # exact: integer windows
        np.testing.assert_array_equal(of(rows, name)[before], of(alone, name))


def test_a_hole_as_long_as_the_window_leaves_nothing():
    rows, _ = whole(np.concatenate([ticks(400), gap(400, 5000), ticks(100, START_S + 5000, 9000)]))
    after = rows["second"] >= START_S + 5000
    known = of(rows, "typical_vol_3600s")[after]
    assert np.isnan(known[:30]).all()
    assert known[40:] == pytest.approx(np.full(len(known[40:]), 9e-6), rel=1e-3)
    assert COLUMN["typical_vol_3600s"] > COLUMN["observed_vol_3600s"]
    assert not math.isnan(known[-1])
