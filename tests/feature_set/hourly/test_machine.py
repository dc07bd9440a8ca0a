"""The machine of hours: records in, rows out, and a dead letter for what cannot be used."""

from itertools import pairwise

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.candle_records import HOUR_S, Candle
from barograph.errors import ForeignStateError
from barograph.feature_set.hourly import machine as module
from barograph.feature_set.hourly.catalogue import COLUMN, FEATURE_SET_HASH, NAMES
from barograph.feature_set.hourly.machine import UNFINISHED_NS, HourlyFeatures
from barograph.feature_set.hourly.state import checkpoint_of, new_states
from barograph.feature_set.rows import feature_rows
from barograph.machine import Machine
from barograph.types import LATEST_NS, NS_PER_S, Fault, Record
from invented_candles import (
    PRODUCT,
    START_H,
    candles,
    drawn_candles,
    every_row,
    records,
    word,
)

HOUR = Candle(
    product=PRODUCT, start_s=START_H * HOUR_S, open="100", high="103", low="99", close="101",
    volume="7", source="coinbase", receive_time_ns=(START_H + 1) * HOUR_S * NS_PER_S + 9,
)  # fmt: skip


def changed(**fields):
    return msgspec.structs.replace(HOUR, **fields)


def later(hours, **fields):
    return changed(start_s=HOUR.start_s + hours * HOUR_S, receive_time_ns=None, **fields)


def received(*words, headers=None):
    stream = [msgspec.structs.replace(each, headers=headers or {}) for each in records(words)]
    return HourlyFeatures().receive(stream)


def test_it_is_a_machine():
    assert isinstance(HourlyFeatures(), Machine)


def test_a_candle_makes_a_row_that_is_known_at_its_close():
    ((key, value),) = received(HOUR).values
    row = codec.decode_row.of(Record("candles.features", 0, 0, key, value))
    assert (row.second + 1) * NS_PER_S == HOUR.known_ns
    assert row.feature_set == FEATURE_SET_HASH
    assert row.log_mid_e9 == round(np.log(101) * 1e9)
    assert row.return_e9 is None
    assert row.receive_time_ns == HOUR.receive_time_ns
    known = {NAMES[i] for i, value in enumerate(row.values) if value is not None}
    assert {"gk_vol_1h", "target_hour"} <= known
    assert row.reasons[COLUMN["gk_vol_3h"]] == "1"


def test_an_hour_without_a_trade_makes_a_row_without_a_price():
    quiet = Candle(product=PRODUCT, start_s=HOUR.start_s, volume="0", source="coinbase")
    ((_, value),) = received(quiet).values
    assert codec.decode_row(value).log_mid_e9 is None


@pytest.mark.parametrize(
    ("word_of", "fault"),
    [
        (later(1, step_s=60), Fault.WRONG_SHAPE),
        (changed(), Fault.DUPLICATE),
        (later(-721), Fault.LATE),
        (later(1, high="1000"), Fault.OUT_OF_RANGE),
        (later(1, realized_vol=3.5), Fault.OUT_OF_RANGE),
        (later(1, low="102"), Fault.CONTRADICTION),
        (later(1, open=None), Fault.CONTRADICTION),
        (later(0.5), Fault.WRONG_SHAPE),
        (changed(start_s=HOUR.start_s + 60), Fault.CONTRADICTION),
        (changed(start_s=LATEST_NS // NS_PER_S // HOUR_S * HOUR_S), Fault.FUTURE),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter_and_changes_nothing(word_of, fault):
    outcome = received(HOUR, word_of, later(2))
    assert [(letter.fault, letter.position) for letter in outcome.dead_letters] == [(fault, "0:1")]
    assert outcome.dead_letters[0].original == codec.encode(word_of)
    assert outcome.values == received(HOUR, later(2)).values


@pytest.mark.parametrize("how", ["receive time", "log"])
def test_a_candle_that_came_before_its_close_is_unfinished(how):
    """Half an hour of prices would pass for an hour; and nothing may be known before its close."""
    early_ns = HOUR.known_ns - UNFINISHED_NS - 1
    in_time_ns = HOUR.known_ns - UNFINISHED_NS
    for came_ns, fault in ((early_ns, [Fault.FUTURE]), (in_time_ns, [])):
        if how == "log":
            headers = {"appended_time_ns": str(came_ns)}
            outcome = received(changed(receive_time_ns=None), headers=headers)
        else:
            outcome = received(changed(receive_time_ns=came_ns))
        assert [letter.fault for letter in outcome.dead_letters] == fault
        assert len(outcome.values) == 1 - len(fault)


def test_a_candle_of_the_far_future_makes_no_later_one_late():
    poison = later(10**6, version=1)
    headers = {"appended_time_ns": str(HOUR.known_ns)}
    outcome = received(poison, HOUR, headers=headers)
    assert [letter.position for letter in outcome.dead_letters] == ["0:0"]
    assert len(outcome.values) == 1


def test_a_revision_changes_what_follows_and_makes_no_row():
    outcome = received(HOUR, changed(version=2, high="110"), later(1))
    assert outcome.dead_letters == []
    first, second = (codec.decode_row(value) for _, value in outcome.values)
    at_once = received(changed(high="110"), later(1)).values
    assert outcome.values[0] == received(HOUR).values[0]
    assert second.values == codec.decode_row(at_once[1][1]).values
    assert first.values[COLUMN["gk_vol_1h"]] < second.values[COLUMN["gk_vol_lag_1h"]]


def test_a_record_under_another_key_is_refused():
    stray = msgspec.structs.replace(records([HOUR])[0], key="ETH-USD")
    outcome = HourlyFeatures().receive([stray])
    assert outcome.values == []
    assert [letter.fault for letter in outcome.dead_letters] == [Fault.WRONG_SHAPE]


def test_nothing_makes_nothing():
    assert HourlyFeatures().receive([]) == ([], [])


@pytest.mark.slow
@settings(deadline=None, max_examples=10)
@given(drawn_candles, st.integers(0, 200))
def test_records_give_the_rows_of_their_arrays_across_a_restart(drawn, cut):
    log = candles(drawn)[:400]
    rows, _ = every_row(log)
    stream = records([word(candle) for candle in log])
    first, second = HourlyFeatures(), HourlyFeatures()
    values = first.receive(stream[:cut]).values
    second.restore(first.snapshot())
    values += second.receive(stream[cut:]).values
    expected = [codec.encode(row) for row in feature_rows(rows, [PRODUCT], FEATURE_SET_HASH)]
    assert [value for _, value in values] == expected


def test_a_snapshot_holds_the_products_that_changed_since_the_last():
    machine = HourlyFeatures()
    machine.receive(records([HOUR, changed(product="ETH-USD")]))
    assert set(machine.snapshot()) == {PRODUCT, "ETH-USD"}
    assert machine.snapshot() == {}
    machine.receive(records([later(1)]))
    assert set(machine.snapshot()) == {PRODUCT}


def test_a_checkpoint_that_is_damaged_is_refused_by_name():
    with pytest.raises(ForeignStateError, match=PRODUCT):
        HourlyFeatures().restore({PRODUCT: checkpoint_of(new_states(1)[0])[:-1]})


def test_one_product_more_than_the_machine_keeps_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_HOURLY_PRODUCTS", 2)
    machine = HourlyFeatures()
    outcome = machine.receive(records([changed(product=name) for name in ("A", "B", "C", "A")]))
    assert [key for key, _ in outcome.values] == ["A", "B"]
    faults = [letter.fault for letter in outcome.dead_letters]
    assert faults == [Fault.UNKNOWN_PRODUCT, Fault.DUPLICATE]


def test_what_is_refused_takes_no_place_of_a_product():
    machine = HourlyFeatures()
    machine.receive(records([changed(product="x", high="1000"), changed(product="y", step_s=60)]))
    assert machine.snapshot() == {}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), max_size=5))
def test_any_bytes_are_dead_letters(values):
    outcome = HourlyFeatures().receive(
        [Record("candles.raw", 0, i, PRODUCT, value) for i, value in enumerate(values)]
    )
    assert outcome.values == []
    assert [letter.original for letter in outcome.dead_letters] == values


# Five years of shared hours.

FILE = "hourly/btc_usd_hourly_to_20241130.csv.gz"
FOLDS = 8
KNOWN_BAD_S = 1_609_736_400


def shared_records(file):
    for n, row in enumerate(pl.read_csv(file, infer_schema=False).iter_rows(named=True)):
        candle = Candle(
            product="BTC-USD",
            start_s=int(row["time"]),
            **{name: row[name] for name in ("open", "high", "low", "close")},
            volume=row["volumefrom"],
            source="file",
        )
        yield Record("candles.raw", 0, n, candle.product, codec.encode(candle))


@pytest.mark.slow
def test_a_regression_on_the_columns_forecasts_five_years_of_hours(data):
    """Walk-forward over the second half: log R² of the next hour's Garman–Klass volatility."""
    outcome = HourlyFeatures().receive(list(shared_records(data / FILE)))
    (letter,) = outcome.dead_letters
    assert letter.fault is Fault.CONTRADICTION
    assert f'"start_s":{KNOWN_BAD_S}'.encode() in letter.original
    rows = [codec.decode_row(value) for _, value in outcome.values]
    assert len(rows) == 44_100
    values = np.array([row.values for row in rows], np.float64)
    seconds = np.array([row.second for row in rows])
    log_vol = np.log(values[:, COLUMN["gk_vol_1h"]])
    outcome_of = np.where(np.diff(seconds) == HOUR_S, log_vol[1:], np.nan)
    used = [name for name in NAMES if not name.startswith(("realized", "target", "quiet"))]
    x = values[:-1, [COLUMN[name] for name in used]]
    vols = ["_vol_" in name and "_cv_" not in name for name in used]
    x[:, vols] = np.log(np.maximum(x[:, vols], 1e-5))
    x = np.column_stack([np.ones(len(x)), x])
    usable = np.isfinite(x).all(axis=1) & np.isfinite(outcome_of)
    places = np.arange(len(x))
    edges = np.linspace(len(x) // 2, len(x), FOLDS + 1).astype(int)
    forecast = np.full(len(x), np.nan)
    for start, stop in pairwise(edges):
        train = usable & (places < start - 1)
        weights = np.linalg.lstsq(x[train], outcome_of[train], rcond=None)[0]
        forecast[start:stop] = x[start:stop] @ weights
    tested = usable & (places >= edges[0])
    truth, error = outcome_of[tested], (outcome_of - forecast)[tested]
    assert tested.sum() > 0.99 * (len(x) - edges[0])
    assert 1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum() >= 0.60
