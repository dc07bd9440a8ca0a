"""The kernel of hours: equal to the oracle, to itself however cut, and blind to the future."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import hourly_oracle
from barograph.codec import NAT
from barograph.feature_set.hourly.catalogue import COLUMN, LONGEST_WINDOW_H, NAMES
from barograph.feature_set.hourly.hours import CANDLE
from barograph.feature_set.hourly.kernel import (
    DUPLICATE,
    LATE,
    OUT_OF_RANGE,
    SECOND_SOURCE,
    TAKEN,
)
from barograph.feature_set.hourly.state import checkpoint_of, new_states, state_of
from barograph.types import Reason
from invented_candles import (
    START_H,
    candles,
    drawn_candles,
    every_row,
    invented,
    parts,
    steady,
)

long_runs = settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
SHORT = {
    "hours": 1, "vol": 1e-4, "still": 0.0, "quiet": 0.0, "realized": False, "before": "",
    "lost": 0.0,
}  # fmt: skip
FATES = {
    "": TAKEN,
    "duplicate": DUPLICATE,
    "late": LATE,
    "out of range": OUT_OF_RANGE,
    "second source": SECOND_SOURCE,
}


@long_runs
@given(drawn_candles, st.randoms(use_true_random=False))
def test_every_feature_equals_the_oracle(drawn, random):
    log = candles(drawn)
    sources = [random.choice([1, 1, 1, -1]) for _ in log]  # a negative version is of our ticks
    log["version"] *= np.array(sources, log["version"].dtype)  # also of no candle at all
    rows, fates = every_row(log)
    expected, expected_fates = hourly_oracle.rows(log)
    assert fates.tolist() == [FATES[fate] for fate in expected_fates]
    assert len(rows) == len(expected)
    # The oracle takes its time, so of many rows it looks at some, the last one always.
    looked_at = [*random.sample(range(len(rows)), min(len(rows), 10)), len(rows) - 1]
    for place in looked_at if len(rows) else ():
        row, theirs = rows[place], expected[place]()
        assert row["second"] == theirs["second"]
        assert row["receive_time_ns"] == theirs["receive_time_ns"]
        assert row["return_e9"] == NAT
        if theirs["log_close"] is None:
            assert row["log_mid_e9"] == NAT
        else:
            assert row["log_mid_e9"] == round(theirs["log_close"] * 1e9)
        for i, name in enumerate(NAMES):
            where = f"{name} at {row['second']}"
            assert Reason(row["reasons"][i]) == theirs["reasons"][i], where
            ours, value = row["values"][i], theirs["values"][i]
            if value is None:
                assert math.isnan(ours), where
            else:
                # Logarithms are summed in 1e-9. A coefficient of variation is the root of a
                # difference that is rounded to 1e-12, so near 0 it is good to few digits.
                allowed = 3e-4 if "_cv_" in name else 1e-8
                assert ours == pytest.approx(value, rel=1e-7, abs=allowed), where


@long_runs
@given(drawn_candles, st.lists(st.integers(0, 2000), max_size=8))
def test_any_cut_and_any_restore_give_the_same_bytes(drawn, cuts):
    log = candles(drawn)
    rows, fates = every_row(log)
    parts_of, fates_of = [], []
    states = new_states(1)
    for start, stop in pairwise([0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]):
        states[0] = state_of(checkpoint_of(states[0]))
        got, got_fates = every_row(log[start:stop], states=states)
        parts_of.append(got.tobytes())
        fates_of.append(got_fates.tobytes())
    assert b"".join(parts_of) == rows.tobytes()  # exact: features to the bit
    assert b"".join(fates_of) == fates.tobytes()


@pytest.mark.slow
@settings(long_runs, max_examples=10)
@given(drawn_candles)
def test_hour_by_hour_gives_the_same_bytes_as_one_batch(drawn):
    log = candles(drawn)
    rows, _ = every_row(log)
    states = new_states(1)
    one_by_one = [every_row(log[i : i + 1], states=states)[0].tobytes() for i in range(len(log))]
    assert b"".join(one_by_one) == rows.tobytes()  # exact: features to the bit


@pytest.mark.slow
@long_runs
@given(drawn_candles, st.floats(0, 1))
@example((0, [SHORT, SHORT, SHORT | {"before": "long hole"}], 0.0), 0.75)
def test_starting_late_gives_the_same_bytes_after_one_longest_window(drawn, share):
    log = candles(drawn)
    start = int(share * len(log))
    assume(start < len(log))
    rows, _ = every_row(log)
    late_rows, _ = every_row(log[start:])
    newest_before = int(log["hour"][:start].max(initial=START_H))
    settled_s = (newest_before + 1 + LONGEST_WINDOW_H) * 3600
    for made in (rows, late_rows):  # who starts behind a long hole does not know that it is one
        made["reasons"][made["reasons"] == Reason.STALE] = Reason.WARMUP
    # exact: features to the bit
    assert (
        late_rows[late_rows["second"] >= settled_s].tobytes()
        == rows[rows["second"] >= settled_s].tobytes()
    )


def test_a_start_one_longest_window_earlier_is_early_enough_and_a_later_one_is_not():
    log = steady(LONGEST_WINDOW_H + 40)
    last = every_row(log)[0][-1]
    # The close before the window is that of the hour from which the first return comes.
    early_enough = every_row(log[-LONGEST_WINDOW_H - 1 :])[0][-1]
    too_late = every_row(log[-LONGEST_WINDOW_H:])[0][-1]
    assert early_enough.tobytes() == last.tobytes()  # exact: features to the bit
    assert too_late.tobytes() != last.tobytes()


@pytest.mark.slow
@long_runs
@given(drawn_candles, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_changing_the_future_changes_no_past_row(drawn, share, other_seed):
    log = candles(drawn)
    keep = int(share * len(log))
    other = candles((other_seed, *drawn[1:]))
    past, _ = every_row(log[:keep])
    changed, _ = every_row(np.concatenate([log[:keep], other[keep:]]))
    assert changed[: len(past)].tobytes() == past.tobytes()  # exact: features to the bit


@pytest.mark.slow
@long_runs
@given(drawn_candles, drawn_candles, st.randoms(use_true_random=False))
def test_two_products_interleaved_equal_each_alone(first, second, random):
    alone = [candles(first), candles(second)]
    alone[1]["product"] = 1
    queues = [list(log) for log in alone]
    mixed = []
    while any(queues):
        mixed.append(random.choice([queue for queue in queues if queue]).pop(0))
    both, _ = every_row(np.array(mixed, CANDLE), products=2)
    for product, log in enumerate(alone):
        rows, _ = every_row(log, products=2)
        # exact: features to the bit
        assert both[both["product"] == product].tobytes() == rows.tobytes()


@pytest.mark.slow
@long_runs
@given(st.integers(0, 2**32 - 1), parts, st.integers(0, 10**6))
def test_a_revision_or_a_late_hour_gives_the_rows_that_it_would_have_given_in_time(
    seed, described, place
):
    """Every row after it is as if the revised hours had been said at once; none before changes."""
    log = candles((seed, described, 0.0))
    assume(len(log) > 1)
    place %= len(log) - 1
    revised = invented(np.random.default_rng(seed), log["hour"][place], 100.0, described[0])[0]
    revised["version"] = 2
    at_once = log.copy()
    at_once[place] = revised
    # What is said of an hour reaches rows until it has left all windows.
    later = [np.concatenate([log[:-1], [revised], log[-1:]])]
    if place:
        later.append(np.concatenate([log[:place], log[place + 1 : -1], [revised], log[-1:]]))
    assume(log["hour"][-2] - log["hour"][place] < LONGEST_WINDOW_H)
    expected = every_row(at_once)[0][-1]
    for told in later:
        rows, fates = every_row(told)
        assert (fates == TAKEN).all()
        assert rows[-1].tobytes() == expected.tobytes()  # exact: features to the bit
        unchanged, _ = every_row(told[:-2])
        assert rows[: len(unchanged)].tobytes() == unchanged.tobytes()  # exact: to the bit


def test_only_a_newer_version_of_a_known_hour_is_taken_and_it_makes_no_row():
    log = steady(30)
    again = log[[20, 20, 20, 20]].copy()
    again["close"] = again["high"]
    again["version"] = [1, 3, 2, 4]
    rows, fates = every_row(np.concatenate([log, again]))
    assert fates[30:].tolist() == [DUPLICATE, TAKEN, DUPLICATE, TAKEN]
    assert len(rows) == 30


@pytest.mark.parametrize("first", [1, -1])
def test_the_first_source_of_an_hour_stays_whatever_version_the_other_has(first):
    log = steady(30)
    log["version"] = first
    again = log[[20, 20, 20, 20]].copy()
    again["close"] = again["high"]
    again["version"] = [-first, -3 * first, first, 2 * first]
    rows, fates = every_row(np.concatenate([log, again]))
    assert fates[30:].tolist() == [SECOND_SOURCE, SECOND_SOURCE, DUPLICATE, TAKEN]
    assert len(rows) == 30


def test_an_hour_older_than_all_windows_is_late():
    log = steady(LONGEST_WINDOW_H + 10)
    old = log[[5, 9]].copy()
    old["version"] = 2
    old["hour"] = log["hour"][-1] - LONGEST_WINDOW_H - np.array([1, 0])
    _, fates = every_row(np.concatenate([log, old]))
    assert fates[-2:].tolist() == [LATE, TAKEN]


def test_what_exact_sums_cannot_hold_is_out_of_range_and_changes_nothing():
    log = steady(30)
    bad = log[[29, 29]].copy()
    bad["hour"] += 1
    bad["high"][0] = bad["low"][0] * 7.4
    bad["realized_vol"][1] = 3.1
    states = new_states(1)
    rows, _ = every_row(log, states=states)
    before = states.tobytes()
    assert every_row(bad, states=states)[1].tolist() == [OUT_OF_RANGE, OUT_OF_RANGE]
    assert len(rows) == 30
    assert states.tobytes() == before  # exact: to the bit


def test_the_largest_hours_that_are_taken_do_not_overflow():
    """Each hour moves by nearly e² and jumps by nearly e in the same direction before it."""
    log = steady(800)
    up = np.arange(800) % 2 == 0
    for name, upward, downward in (("open", 1, 2), ("close", 3, 0), ("low", 1, 0), ("high", 3, 2)):
        log[name] = np.exp(0.9999999 * np.where(up, upward, downward))
    log["realized_vol"], log["volume"] = 3.0, 1e18
    rows, fates = every_row(log)
    last = rows[-1]["values"]
    assert (fates == TAKEN).all()
    assert not np.isnan(last).any()
    for name, largest in (
        ("close_vol_720h", 3.0),
        ("realized_vol_168h", 3.0),
        ("rogers_satchell_vol_720h", 0.0),  # each hour opens and closes at its ends
        ("parkinson_vol_720h", 2 / math.sqrt(4 * math.log(2))),
        ("gk_vol_720h", math.sqrt(2 - 4 * (2 * math.log(2) - 1))),
    ):
        assert last[COLUMN[name]] == pytest.approx(largest, rel=1e-6, abs=1e-6), name


def test_an_hour_without_a_trade_is_known_and_nothing_moved_in_it():
    log = steady(30, quiet=0.0)
    for name in ("open", "high", "low", "close"):
        log[name][29] = np.nan
    log["volume"][29] = 0.0
    row = every_row(log)[0][-1]
    assert row["log_mid_e9"] == NAT
    assert row["values"][COLUMN["gk_vol_1h"]] == 0.0
    assert row["values"][COLUMN["quiet_share_24h"]] == 1 / 24
    assert not math.isnan(row["values"][COLUMN["gk_vol_24h"]])


def test_hours_that_are_missing_make_no_row_and_short_windows_wait():
    log = np.delete(steady(300), 250)
    rows, _ = every_row(log)
    assert np.diff(rows["second"]).max() == 2 * 3600
    behind = rows[250:]
    short, long = COLUMN["gk_vol_12h"], COLUMN["gk_vol_24h"]
    assert behind["reasons"][:12, short].tolist() == [Reason.GAP] * 11 + [Reason.KNOWN]
    assert (behind["reasons"][:, long] == Reason.KNOWN).all()


def test_a_silence_of_the_longest_window_begins_anew():
    log = steady(60)
    log["hour"][30:] += LONGEST_WINDOW_H
    rows, _ = every_row(log)
    column = COLUMN["gk_vol_24h"]
    assert set(rows["reasons"][30:52, column].tolist()) == {Reason.STALE}
    alone, _ = every_row(log[30:])
    assert rows["values"][30:].tobytes() == alone["values"].tobytes()  # exact: to the bit


def test_a_candle_makes_the_row_of_its_own_last_second():
    log = steady(2)
    rows, _ = every_row(log)
    assert rows["second"].tolist() == [(hour + 1) * 3600 - 1 for hour in log["hour"].tolist()]
