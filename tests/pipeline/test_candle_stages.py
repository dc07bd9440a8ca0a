"""Candles of ticks as stages on a log: each once, wherever they are cut off and begun again."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph import codec
from barograph.candle_records import HOUR_S, Candle
from barograph.log import open_log
from barograph.log.topics import (
    CANDLE_CHECKS,
    CANDLE_LETTERS,
    CANDLES,
    TICKS,
    ensure_candle_topics,
    ensure_topics,
)
from barograph.pipeline.candle_stages import CandleStages
from barograph.pipeline.worker import when_idle
from barograph.types import NS_PER_S, Gap, GapCause, Heartbeat, Message, Tick
from counted_metrics import Counted

START_S = 480_000 * HOUR_S
NAME = "BTC-USD"


def at(hour, second):
    return (START_S + hour * HOUR_S + second) * NS_PER_S


def tick(hour, second, number, price):
    return Tick(
        product=NAME, event_time_ns=at(hour, second), price=price, bid=price, ask=price,
        trade_id=number, last_size="2",
    )  # fmt: skip


TICKS_MADE = [
    tick(0, 1800, 1, "99"),
    tick(1, 0, 2, "100"),
    tick(1, 1000, 3, "104"),
    tick(2, 7, 4, "101"),
    Gap(product=NAME, start_ns=at(2, 7), end_ns=at(2, 90), cause=GapCause.DISCONNECT),
    tick(2, 90, 5, "102"),
    tick(3, 1, 6, "103"),
    Heartbeat(product=NAME, event_time_ns=at(4, 0)),
]
"""Hours 1 and 3 are whole; 0 has no beginning, and 2 has a hole."""


@pytest.fixture
def log(tmp_path):
    with closing(open_log(tmp_path)) as opened:
        ensure_topics(opened)
        ensure_candle_topics(opened)
        yield opened


def stages(home, warn=pytest.fail, batch_records=1000):
    return CandleStages(
        address=home, warn=warn, partitions=3, batch_records=batch_records, lease_s=30.0
    )


def of(log, topic, decode):
    partitions = range(len(log.extents(topic)))
    return [decode.of(record) for n in partitions for record in log.read(topic, n, 0, 1000)]


def feed(log, events):
    log.append([Message(TICKS, each.product, codec.encode(each)) for each in events])


def service(log, hour, **fields):
    candle = {"open": "100", "high": "104", "low": "100", "close": "104", "volume": "4"} | fields
    candle = Candle(product=NAME, start_s=START_S + hour * HOUR_S, source="coinbase", **candle)
    log.append([Message(CANDLES, NAME, codec.encode(candle))])


def test_whole_hours_become_candles_and_one_with_a_hole_becomes_none(log, tmp_path):
    feed(log, TICKS_MADE)
    tally = stages(tmp_path).candles(when_idle)
    candles = of(log, CANDLES, codec.decode_candle)
    assert [(each.start_s - START_S) // HOUR_S for each in candles] == [1, 3]
    assert {each.source for each in candles} == {"ticks"}
    assert (tally.records, tally.values, tally.dead_letters) == (len(TICKS_MADE), 2, 0)
    assert log.read(CANDLE_LETTERS, 0, 0, 10) == []


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, len(TICKS_MADE)), max_size=4), batch=st.integers(1, 4))
def test_begun_again_anywhere_the_candles_are_the_same_bytes(tmp_path_factory, cuts, batch):
    values = []
    for places in ([], cuts):
        home = tmp_path_factory.mktemp("home")
        with closing(open_log(home)) as log:
            ensure_topics(log)
            begin = 0
            for end in [*sorted(places), len(TICKS_MADE)]:
                feed(log, TICKS_MADE[begin:end])
                stages(home, batch_records=batch).candles(when_idle)
                begin = end
            values.append([record.value for record in log.read(CANDLES, 0, 0, 100)])
    assert values[0] == values[1]


def test_what_a_service_says_otherwise_is_a_record_a_warning_and_counted(log, tmp_path):
    feed(log, TICKS_MADE)
    warnings = []
    here = stages(tmp_path, warnings.append)
    here.candles(when_idle)
    counted = Counted()
    service(log, 1)
    service(log, 2)
    here.checks(when_idle)
    assert warnings == []
    service(log, 1, version=2, volume="4.5")
    here.checks(when_idle)
    checks = of(log, CANDLE_CHECKS, codec.decode_candle_check)
    assert [(each.version, len(each.differences)) for each in checks] == [(1, 0), (2, 1)]
    (line,) = warnings
    assert "volume 4 here and 4.5 there" in line
    assert counted.since("barograph_candle_checks_total", result="same") == 1
    assert counted.since("barograph_candle_checks_total", result="differs") == 1


def test_of_many_hours_that_differ_the_first_are_named(log, tmp_path):
    closes = [Heartbeat(product=NAME, event_time_ns=at(hour, 0)) for hour in range(12)]
    feed(log, [tick(0, 1, 1, "99"), *closes])
    warnings = []
    here = stages(tmp_path, warnings.append)
    here.candles(when_idle)
    for hour in range(1, 11):
        service(log, hour)
    here.checks(when_idle)
    assert len(warnings) == 6
    assert warnings[-1].startswith("5 more candles differ")
