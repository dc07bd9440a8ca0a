"""Rows become candles, and shorter steps hours with their volatility."""

import math
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import decode_candle, encode
from barograph.evaluation.quality import Subject, judge
from barograph.evaluation.quality_report import SCHEMA, TEXTS, QualityPolicy
from barograph.feed.candle_hours import candle_of, hours_of, rows_of, table_of
from barograph.venues.candle_pages import CandleRow
from candle_tables import HOUR_S, START_S, rows, table


def test_a_table_and_its_rows_are_the_same():
    made = rows(20)
    assert rows_of(table_of(made)) == made


def test_digits_stay_and_exponents_are_written_out():
    (row,) = rows_of(table(1, volume={0: "1e-05"}, open={0: "90000.10"}))
    assert (row.volume, row.open) == ("0.00001", "90000.10")


NUMBERS = st.one_of(
    st.floats(allow_nan=True).map(repr),
    st.floats(0, 1e19).map(repr),
    st.sampled_from(
        ["-0", "-0.0", "007.50", ".5", "5.", "+3", "1e-19", "1e18", "1_000", "", "9" * 30]
    ),
    st.none(),
)


@pytest.mark.slow
@given(st.lists(st.tuples(*[NUMBERS] * 6), min_size=1, max_size=5))
def test_whatever_the_gate_lets_pass_is_a_readable_candle(texts):
    n = len(texts)
    columns = {name: [row[place] for row in texts] for place, name in enumerate(TEXTS)}
    starts = [START_S + i * HOUR_S for i in range(n)]
    frame = pl.DataFrame({"line": range(n), "start_s": starts, **columns}, schema=SCHEMA)
    subject = Subject(source="f", product="BTC-USD", form="", step_s=HOUR_S, now_ns=2 * 10**18)
    for row in rows_of(judge(frame, QualityPolicy(), subject).good):
        candle = candle_of(row, "BTC-USD", "file")
        assert decode_candle(encode(candle)) == candle


def test_an_hour_of_no_volume_has_no_prices():
    (row,) = rows_of(table(1, volume={0: "0.0"}))
    assert (row.open, row.high, row.low, row.close) == (None,) * 4


def test_a_candle_is_readable():
    candle = candle_of(rows(1)[0], "BTC-USD", "file", realized_vol=0.01)
    assert decode_candle(encode(candle)) == candle
    assert (candle.version, candle.step_s, candle.source) == (1, HOUR_S, "file")


@pytest.mark.parametrize("step_s", [60, 300, 900])
def test_an_hour_is_made_of_its_parts(step_s):
    parts = HOUR_S // step_s
    made = rows(2 * parts, step_s=step_s)
    (first, vol), (second, _) = hours_of(made, step_s)
    part = made[:parts]
    assert (first.start_s, second.start_s) == (START_S, START_S + HOUR_S)
    assert (first.open, first.close) == (part[0].open, part[-1].close)
    assert float(first.high) == max(float(row.high) for row in part)
    assert float(first.low) == min(float(row.low) for row in part)
    assert Decimal(first.volume) == sum(Decimal(row.volume) for row in part)
    prices = [float(part[0].open), *(float(row.close) for row in part)]
    squares = [math.log(b / a) ** 2 for a, b in pairwise(prices)]
    expected = pytest.approx(math.sqrt(math.fsum(squares)), rel=1e-12)
    assert vol == (expected if step_s == 60 else None)


def test_a_quiet_minute_and_one_that_is_left_out_are_returns_of_nothing():
    made = rows(60, step_s=60)
    quiet = [
        CandleRow(start_s=row.start_s, open=None, high=None, low=None, close=None, volume="0")
        if place in {20, 21}
        else row
        for place, row in enumerate(made)
    ]
    ((_, one),) = hours_of(quiet, 60)
    ((_, other),) = hours_of([row for row in quiet if row.open], 60)
    assert one == other


@pytest.mark.parametrize(
    ("kept", "hours"),
    [
        (range(60, 180), [1, 2]),
        (range(61, 180), [2]),
        (range(179), [0, 1]),
        ([*range(70), *range(86, 180)], [0, 2]),
        ([*range(70), *range(84, 180)], [0, 1, 2]),
    ],
)
def test_an_hour_that_is_not_whole_at_an_end_or_lacks_too_much_is_left_out(kept, hours):
    made = rows(180, step_s=60)
    joined = [row.start_s for row, _ in hours_of([made[place] for place in kept], 60)]
    assert joined == [START_S + hour * HOUR_S for hour in hours]
