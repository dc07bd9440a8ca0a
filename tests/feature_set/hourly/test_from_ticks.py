"""Candles from ticks: the exchange's definition, of hours that were heard from end to end."""

import gzip
import json
from decimal import Decimal

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.errors import ForeignStateError
from barograph.feature_set.hourly.from_ticks import TickCandles
from barograph.feature_set.hourly.machine import HourlyFeatures
from barograph.machine import Machine
from barograph.types import (
    NS_PER_S,
    Fault,
    Frame,
    Gap,
    GapCause,
    Heartbeat,
    Record,
    Tick,
    Trade,
)
from barograph.venues.coinbase.exchange import ExchangeFeed

HOUR_S = 3600
START_S = 480_000 * HOUR_S
NAME = "BTC-USD"


def at(hour, second):
    return (START_S + hour * HOUR_S) * NS_PER_S + round(second * NS_PER_S)


def tick(hour, second, number, price="100", size="2", **more):
    return Tick(
        product=NAME, event_time_ns=at(hour, second), price=price, bid=price, ask=price,
        trade_id=number, last_size=size, **more,
    )  # fmt: skip


def trade(hour, second, number, price="100", *, filled=False):
    return Trade(
        product=NAME, event_time_ns=at(hour, second), price=price, size="0.5", side=None,
        trade_id=number, filled=filled,
    )  # fmt: skip


def beat(hour, second):
    return Heartbeat(product=NAME, event_time_ns=at(hour, second))


def gap(start, end, cause=GapCause.DISCONNECT, **counts):
    return Gap(product=NAME, start_ns=at(*start), end_ns=at(*end), cause=cause, **counts)


def records(events, headers=None):
    return [
        Record("ticks.raw", 0, n, event.product, codec.encode(event), headers or {})
        for n, event in enumerate(events)
    ]


def made(*events, headers=None):
    outcome = TickCandles().receive(records(events, headers))
    return [codec.decode_candle(value) for _, value in outcome.values], outcome.dead_letters


def candles(*events):
    closed, letters = made(*events)
    assert letters == []
    return {(candle.start_s - START_S) // HOUR_S: candle for candle in closed}


def test_it_is_a_machine():
    assert isinstance(TickCandles(), Machine)


def test_an_hour_of_ticks_makes_the_candle_of_the_exchange():
    hours = candles(
        tick(0, 3599, 1, "99"),
        tick(1, 0, 2, "100.5", "1.25"),
        tick(1, 10, 3, "103", "0.00000001"),
        trade(1, 20, 4, "97.1"),
        tick(1, 3599.999, 5, "101", "2"),
        tick(2, 0, 6, "200", receive_time_ns=at(2, 1)),
    )
    assert list(hours) == [1]
    candle = hours[1]
    prices = candle.open, candle.high, candle.low, candle.close
    assert prices == ("100.5", "103", "97.1", "101")
    assert candle.volume == "3.75000001"
    assert candle.quote_volume == "376.17500103"
    assert (candle.source, candle.version, candle.receive_time_ns) == ("ticks", 1, at(2, 1))
    assert candle.known_ns == at(2, 0)


def test_an_hour_whose_beginning_or_end_was_not_heard_is_no_candle():
    assert candles(tick(0, 1, 1), tick(0, 3000, 2)) == {}
    assert list(candles(tick(0, 1, 1), beat(1, 0), beat(2, 0))) == [1]


@pytest.mark.parametrize(
    "hole",
    [
        gap((1, 100), (1, 200)),
        gap((1, 100), (1, 200), GapCause.TRADE_ID, missing=2, filled=1),
        gap((1, 100), (1, 200), GapCause.REFUSED),
        gap((0, 3599), (1, 0), GapCause.SILENCE),
        gap((1, 3599), (2, 1), GapCause.SILENCE),
        gap((1, 400), (1, 200), GapCause.SESSION),
    ],
)
def test_an_hour_with_a_hole_in_it_is_a_missing_hour(hole):
    before = [tick(0, 1, 1), *([tick(1, 50, 2)] if hole.start_ns > at(1, 50) else [])]
    after = [tick(1, 300, 9)] if hole.end_ns < at(1, 300) else []
    heard = [*before, hole, *after, tick(2, 5, 10), beat(3, 0), beat(4, 0)]
    assert 1 not in candles(*heard)
    assert 3 in candles(*heard)


def test_a_hole_whose_trades_were_all_filled_leaves_the_hour_whole():
    hours = candles(
        tick(0, 1, 1),
        tick(1, 3000, 2, "100"),
        gap((1, 3000), (2, 10), missing=2, filled=2),
        trade(1, 3500, 3, "90", filled=True),
        trade(2, 5, 4, "80", filled=True),
        tick(2, 10, 5, "85"),
        beat(3, 0),
    )
    assert list(hours) == [1, 2]
    assert (hours[1].low, hours[1].volume) == ("90", "2.5")
    assert (hours[2].open, hours[2].volume) == ("80", "2.5")


def test_an_empty_hour_is_known_from_heartbeats_only():
    hours = candles(tick(0, 1, 1), beat(1, 5), beat(2, 5), tick(3, 1, 2), beat(4, 0))
    assert {hour: candle.open for hour, candle in hours.items()} == {1: None, 2: None, 3: "100"}
    assert hours[1].volume == "0"
    # Of the first hour nothing was heard, and nobody knows what else of the second was not.
    assert candles(tick(0, 1, 1), tick(2, 1, 2), beat(3, 0), beat(4, 0)).keys() == {3}
    # A quote that brings no trade is no heartbeat.
    assert candles(tick(0, 1, 1), tick(1, 1, 1), tick(2, 1, 2)) == {}


def test_a_tick_that_repeats_a_trade_counts_no_second_time():
    hours = candles(
        tick(0, 1, 1), trade(1, 2, 2), tick(1, 2, 2), tick(1, 3, 3), tick(1, 4, 3, "100", "9"),
        beat(2, 0),
    )  # fmt: skip
    assert hours[1].volume == "2.5"


@pytest.mark.parametrize("missing", [{"number": None}, {"size": None}])
def test_an_hour_whose_volume_is_not_known_is_no_candle(missing):
    fields = {"number": 2, "size": "1"} | missing
    events = [tick(0, 1, 1), tick(1, 1, **fields), tick(2, 1, 3), beat(3, 0)]
    assert candles(*events).keys() == {2}


def test_prices_by_a_recorders_clock_make_no_candle():
    events = [tick(0, 1, 1), tick(1, 1, 2, event_clock="recorder"), tick(2, 1, 3), beat(3, 0)]
    assert candles(*events).keys() == {2}


def test_a_trade_of_an_hour_that_had_closed_is_late():
    closed, letters = made(tick(0, 1, 1), tick(1, 1, 2), tick(2, 1, 3), tick(1, 2, 4), beat(3, 0))
    assert [letter.fault for letter in letters] == [Fault.LATE]
    assert len(closed) == 2


def test_a_volume_that_no_candle_can_say_makes_none():
    large = "9" * 18
    assert candles(tick(0, 1, 1), tick(1, 1, 2, size=large), beat(2, 0)).keys() == {1}
    several = [tick(1, n, n + 2, size=large) for n in range(2)]
    assert candles(tick(0, 1, 1), *several, beat(2, 0)) == {}
    # Price times size may be too large where the size is not.
    dear = candles(tick(0, 1, 1), tick(1, 1, 2, "1000", large), beat(2, 0))
    assert dear[1].quote_volume is None


@pytest.mark.parametrize("headers", [None, {"appended_time_ns": str(at(1, 5))}])
def test_an_event_of_the_far_future_closes_nothing(headers):
    far = tick(100_000, 0, 9, receive_time_ns=None if headers else at(1, 5))
    closed, letters = made(tick(0, 1, 1), tick(1, 1, 2), far, tick(2, 1, 3), headers=headers)
    assert [letter.fault for letter in letters] == [Fault.FUTURE]
    assert len(closed) == 1


sources = st.lists(
    st.builds(
        lambda kind, second, number: {
            "tick": tick(0, second, number),
            "beat": beat(0, second),
            "trade": trade(0, second, number),
            "gap": gap((0, second), (0, second + 100), missing=number % 3, filled=number % 2),
        }[kind],
        st.sampled_from(["tick", "tick", "trade", "beat", "gap"]),
        st.integers(0, 5 * HOUR_S),
        st.integers(0, 50),
    ),
    max_size=40,
)


@given(sources, st.booleans(), st.lists(st.integers(0, 40), max_size=4))
def test_any_cut_and_any_restore_give_the_same_candles(events, ordered, cuts):
    if ordered:
        events.sort(key=lambda e: e.start_ns if isinstance(e, Gap) else e.event_time_ns)
    stream = records(events)
    whole = TickCandles().receive(stream)
    values, letters, kept = [], [], {}
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)], strict=True):
        machine = TickCandles()
        machine.restore(kept)
        outcome = machine.receive(stream[start:stop])
        values += outcome.values
        letters += outcome.dead_letters
        kept |= machine.snapshot()
    assert (values, letters) == (whole.values, whole.dead_letters)
    HourlyFeatures().receive(
        [Record("candles.raw", 0, n, key, value) for n, (key, value) in enumerate(values)]
    )


@given(st.lists(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), max_size=5))
def test_any_bytes_are_dead_letters(values):
    outcome = TickCandles().receive(
        [Record("ticks.raw", 0, n, NAME, value) for n, value in enumerate(values)]
    )
    assert outcome.values == []
    assert [letter.original for letter in outcome.dead_letters] == values


@pytest.mark.parametrize("kept", [b"", b"{}", b'{"type":"hour-of-ticks/2"}', b"\xff", b"[" * 9999])
def test_a_checkpoint_of_another_kind_is_refused_by_name(kept):
    with pytest.raises(ForeignStateError, match=NAME):
        TickCandles().restore({NAME: kept})


@pytest.mark.slow
def test_candles_of_a_real_session_are_those_of_its_trades(data):
    """From 07:02:36 to 08:23:25 no trade is missing; five minutes earlier, that spans an hour."""
    lines = []
    with gzip.open(data / "sessions" / "coinbase_btc_eth_sol_20251125_0451.ndjson.gz", "rt") as raw:
        for line in raw:
            fields = json.loads(line)
            if fields["time"] >= "2025-11-25T07:02:40":
                lines.append(fields)
    minute = [int(fields["time"][14:16]) + 60 * int(fields["time"][11:13]) for fields in lines]
    for fields, minutes in zip(lines, minute, strict=True):
        hour, rest = divmod(minutes - 5, 60)
        fields["time"] = f"2025-11-25T{hour:02}:{rest:02}{fields['time'][16:]}"
    feed, machine = ExchangeFeed(), TickCandles()
    events = [
        event
        for fields in lines
        for event in feed.receive(Frame(data=json.dumps(fields).encode(), connection="c")).events
    ]
    outcome = machine.receive(records(events))
    assert outcome.dead_letters == []
    closed = {key: codec.decode_candle(value) for key, value in outcome.values}
    inside = pl.DataFrame(lines).filter(pl.col("time").str.slice(11, 2) == "07")
    assert closed.keys() == set(inside["product_id"]) == {"BTC-USD", "ETH-USD", "SOL-USD"}
    for product, candle in closed.items():
        trades = inside.filter(pl.col("product_id") == product).unique(
            "trade_id", keep="first", maintain_order=True
        )
        prices = trades["price"].to_list()
        assert candle.start_s == 1_764_054_000  # 2025-11-25T07:00Z
        assert (candle.open, candle.close) == (prices[0], prices[-1])
        assert float(candle.high) == max(map(float, prices))
        assert float(candle.low) == min(map(float, prices))
        sizes = list(map(Decimal, trades["last_size"]))
        assert Decimal(candle.volume) == sum(sizes)
        exact = sum(Decimal(p) * size for p, size in zip(prices, sizes, strict=True))
        assert Decimal(candle.quote_volume) == exact


@pytest.mark.slow
def test_a_real_session_in_which_every_hour_has_a_hole_makes_no_candle(data):
    feed, machine = ExchangeFeed(), TickCandles()
    path = data / "sessions" / "coinbase_btc_eth_sol_20251125_0451.ndjson.gz"
    with gzip.open(path, "rb") as raw:
        events = [
            msgspec.structs.replace(event, connection="")
            for line in raw
            for event in feed.receive(Frame(data=line, connection="c")).events
        ]
    outcome = machine.receive(records(events))
    assert len(events) > 100_000
    assert outcome.values == []
