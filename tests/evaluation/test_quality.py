"""The quality gate tells which rows break which rule, and stops what is too bad."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.evaluation.quality import Subject, as_numbers, judge, merged
from barograph.evaluation.quality_report import LEAST_ROWS, QualityPolicy
from candle_tables import HOUR_S, START_S, table

N = 400


def judged(frame, now_s=None, step_s=HOUR_S, **policy):
    now_s = START_S + (N + 1) * HOUR_S if now_s is None else now_s
    subject = Subject(
        source="file", product="BTC-USD", form="CSV", step_s=step_s, now_ns=now_s * 10**9
    )
    return judge(frame, QualityPolicy(**policy), subject)


def failed(report):
    return {rule.name: rule.failed for rule in report.rules if rule.failed}


def test_good_candles_pass_whole():
    frame = table(N)
    report, good = judged(frame)
    assert (report.passed, report.good, report.missing, failed(report)) == (True, N, 0, {})
    assert good.equals(frame)  # exact: the rows as they came


def test_rows_before_a_moment_are_those_that_open_before_it():
    some = judged(table(N)).before(START_S + 10 * HOUR_S)
    assert some.good["start_s"].to_list() == [START_S + n * HOUR_S for n in range(10)]
    assert some.report.good == N


ONE_BAD_ROW = {
    "values": {"close": {7: None}},
    "positive": {"volume": {7: "-1"}},
    "range": {"high": {7: "1.0"}, "low": {7: "0.5"}},
    "jump": {"high": {7: "900000"}, "close": {7: "900000"}},
    "whole": {"start_s": {7: START_S + 7 * HOUR_S + 1}},
}


@pytest.mark.parametrize("rule", ONE_BAD_ROW)
def test_one_bad_row_is_reported_and_left_out(rule):
    report, good = judged(table(N, **ONE_BAD_ROW[rule]))
    assert report.passed
    assert failed(report)[rule] == 1
    (row,) = next(each.first for each in report.rules if each.name == rule)
    assert row.line == 9
    assert 9 not in good["line"]
    assert len(good) == N - 1


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [("open", None, "values"), ("volume", "x", "values"), ("volume", "-1", "positive")],
)
def test_more_bad_rows_than_are_allowed_stop_everything(column, value, rule):
    rows = range(0, N, 20)
    report, _ = judged(table(N, **{column: dict.fromkeys(rows, value)}))
    assert not report.passed
    (stopping,) = [each for each in report.broken if each.stops]
    assert (stopping.name, stopping.failed) == (rule, len(rows))
    assert [row.line for row in stopping.first[:3]] == [2, 22, 42]


@pytest.mark.slow
@given(st.sets(st.integers(0, 99), max_size=8), st.sampled_from(["values", "positive"]))
def test_good_rows_are_those_that_nobody_spoiled(spoiled, rule):
    change = {"values": {"open": dict.fromkeys(spoiled)},
              "positive": {"volume": dict.fromkeys(spoiled, "-2")}}[rule]  # fmt: skip
    report, good = judged(table(100, **change))
    assert set(good["line"]) == set(range(2, 102)) - {place + 2 for place in spoiled}
    assert report.passed == (len(spoiled) <= 1)


def test_a_few_rows_are_measured_as_a_week():
    missing = {0: None, 1: None}
    strict, lax = (
        judged(table(3, open=missing), max_null_share=share).report for share in (0.01, 2 / 168)
    )
    assert (strict.passed, lax.passed) == (False, True)
    assert LEAST_ROWS == 168


def test_a_lasting_step_of_the_price_is_one_jump_and_a_spike_is_one_too():
    frame = as_numbers(table(N))
    up = {place: f"{frame['close'][place] * 3:.2f}" for place in range(200, N)}
    moved = {name: {p: f"{frame[name][p] * 3:.2f}" for p in up} for name in ("open", "high", "low")}
    step, _ = judged(table(N, close=up, **moved))
    assert failed(step) == {"jump": 1}


def test_hours_without_a_trade_are_good():
    none = {name: {5: None} for name in ("open", "high", "low", "close")}
    report, good = judged(table(N, volume={5: "0"}, **none))
    assert (report.passed, report.empty, len(good)) == (True, 1, N)


def test_a_candle_that_came_twice_alike_is_there_once_and_two_that_differ_are_none():
    frame = table(N)
    report, good = judged(pl.concat([frame, frame[3:4]]))
    assert (failed(report), len(good)) == ({"twice": 1, "order": 1}, N)
    other = frame[3:4].with_columns(volume=pl.lit("7"))
    report, good = judged(pl.concat([frame[:3], other, frame[3:]]))
    assert (failed(report), len(good)) == ({"twice": 2}, N - 1)


def test_times_that_go_back_are_reported_and_the_rest_is_in_order():
    frame = table(N)
    report, good = judged(pl.concat([frame[:50], frame[51:60], frame[50:51], frame[60:]]))
    assert failed(report) == {"order": 1}
    assert good["start_s"].is_sorted()


@pytest.mark.parametrize(("missing", "passed"), [(20, True), (21, False)])
def test_missing_candles_are_counted(missing, passed):
    frame = table(N)
    kept = pl.concat([frame[:100], frame[100 + missing :]])
    report, _ = judged(kept, START_S + N * HOUR_S, max_missing_share=0.0527)
    assert (report.missing, report.passed) == (missing, passed)


def test_old_candles_are_reported_or_stop():
    now_s = START_S + (N + 60) * HOUR_S
    assert judged(table(N), now_s).report.passed
    report, _ = judged(table(N), now_s, age_stops=True)
    assert (report.passed, failed(report)) == (False, {"fresh": 1})


def test_a_candle_that_has_not_ended_is_no_good():
    report, good = judged(table(N), START_S + N * HOUR_S - 1)
    assert (failed(report), len(good)) == ({"finished": 1}, N - 1)


def test_little_volume_stops():
    report, _ = judged(table(N), min_volume=1000.0)
    assert (report.passed, failed(report)) == (False, {"volume": 1})


@pytest.mark.parametrize(("n", "passed"), [(20, True), (168, False)])
def test_a_week_without_any_trade_stops(n, passed):
    report, _ = judged(table(n, volume=dict.fromkeys(range(n), "0")))
    assert report.passed == passed


def test_a_quiet_market_is_no_reason_to_stop():
    assert judged(table(N, volume=dict.fromkeys(range(0, N, 2), "0"))).report.passed


def test_minutes_are_judged_by_their_own_step():
    report, _ = judged(table(N, step_s=60), step_s=60)
    assert (report.passed, report.missing) == (True, 0)


def test_no_candle_at_all_does_not_pass():
    report, good = judged(table(0))
    assert (report.passed, failed(report), len(good)) == (False, {"any": 1}, 0)


def test_pages_become_one_table_with_each_candle_once():
    frame = table(20)
    assert merged([frame[10:], frame[:12]])["start_s"].to_list() == frame["start_s"].to_list()


def test_what_is_no_finite_number_is_none():
    numbers = as_numbers(table(4, open={0: "inf", 1: "NaN", 2: "1e3"}))
    assert numbers["open"].to_list()[:3] == [None, None, 1000.0]
