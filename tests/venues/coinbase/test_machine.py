import gzip
import json
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.times import format_time
from barograph.types import DeadLetter, Fault, Gap, GapCause, Heartbeat, Side, Tick
from barograph.venues.coinbase.advanced import AdvancedTrade
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.continuity import Notice, Received
from barograph.venues.entries import (
    Answer,
    Closing,
    Dialect,
    Heard,
    Opening,
    Rules,
    Settlement,
    connection_of,
    received_of,
)
from coinbase_messages import (
    ENVELOPE,
    START,
    TICKER,
    S,
    beats,
    envelope,
    faults,
    feed,
    frame,
    gaps,
    heartbeat,
    ticker,
)

# The good frames.


def test_an_exchange_ticker_becomes_a_tick_digit_for_digit():
    received = ExchangeFeed().receive(frame(TICKER, receive_time_ns=START + 5))
    assert received.dead_letters == ()
    assert received.events == (
        Tick(
            product="BTC-USD",
            event_time_ns=START,
            price="103472.28",
            bid="103472.27",
            ask="103472.28",
            connection="c",
            receive_time_ns=START + 5,
            bid_size="0.04145138",
            ask_size="0.02560996",
            volume_24h="5461.74127717",
            trade_id=900701309,
            last_size="0.00068754",
            side=Side.BUY,
            sequence=115498669093,
        ),
    )


def test_an_advanced_ticker_becomes_a_tick_with_the_envelopes_time_and_no_side():
    events, letters = feed(AdvancedTrade(), ENVELOPE)
    assert letters == []
    assert events == [
        Tick(
            product="BTC-USD",
            event_time_ns=1775337223291084825,
            price="67223.5",
            bid="67223.49",
            ask="67223.5",
            connection="c",
            bid_size="0.56309243",
            ask_size="0.25094364",
            volume_24h="2401.16054813",
            snapshot=True,
        )
    ]


def test_all_tickers_of_all_events_are_read():
    message = envelope(0, ("BTC-USD", "ETH-USD"))
    message["events"] *= 2
    message["events"][1] = {
        "type": "update",
        "tickers": envelope(0, ("A", "B"))["events"][0]["tickers"],
    }
    events, letters = feed(AdvancedTrade(), message)
    assert [event.product for event in events] == ["BTC-USD", "ETH-USD", "A", "B"]
    assert letters == []


def test_an_exchange_heartbeat_is_one_of_its_product():
    (beat,), _ = feed(ExchangeFeed(), heartbeat(0, 7))
    assert beat == Heartbeat(
        product="BTC-USD",
        event_time_ns=START,
        connection="c",
        last_trade_id=TICKER["trade_id"] + 7,
        sequence=1,
    )


def test_a_connections_heartbeat_is_one_for_each_product_of_it():
    machine = AdvancedTrade()
    feed(machine, envelope(0, ("BTC-USD", "ETH-USD")))
    feed(machine, envelope(0, ("XRP-USD",)), connection="another")
    events, _ = feed(machine, beats(1, 17))
    assert [(type(event), event.product) for event in events] == [
        (Heartbeat, "BTC-USD"),
        (Heartbeat, "ETH-USD"),
    ]
    assert {event.event_time_ns for event in events} == {START + S}


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (ExchangeFeed, {"type": "subscriptions", "channels": []}),
        (AdvancedTrade, {"channel": "subscriptions", "events": [{"subscriptions": {}}]}),
    ],
)
def test_a_subscription_is_understood_and_no_news(machine, message):
    assert machine().receive(frame(message))[:2] == ((), ())


def test_the_event_clock_of_the_connection_goes_into_its_ticks():
    machine = ExchangeFeed()
    machine.open(Opening(connection="c", dialect=Dialect.EXCHANGE, event_clock="recorder"))
    (tick,), _ = feed(machine, TICKER)
    assert tick.event_clock == "recorder"


def test_on_the_real_ticker_channel_the_side_is_the_aggressors(data):
    path = data / "recordings" / "coinbase_btc_20251112_14_exchangefeed.ndjson.gz"
    machine, seen = ExchangeFeed(), Counter()
    with gzip.open(path) as lines:
        for line in lines:
            for event in machine.receive(frame(line.rstrip(b"\n"))).events:
                if isinstance(event, Tick) and Decimal(event.bid) < Decimal(event.ask):
                    seen[event.side, "ask"] += Decimal(event.price) == Decimal(event.ask)
                    seen[event.side, "bid"] += Decimal(event.price) == Decimal(event.bid)
    assert seen == {
        (Side.BUY, "ask"): 1751,
        (Side.BUY, "bid"): 0,
        (Side.SELL, "bid"): 1523,
        (Side.SELL, "ask"): 0,
    }


# What may change without harm.


def test_unknown_fields_are_ignored():
    events, _ = feed(ExchangeFeed(), ticker(x={"y": [1, {}]}))
    assert events == feed(ExchangeFeed(), TICKER)[0]


def test_numbers_for_strings_and_strings_for_numbers_mean_the_same():
    raw = json.dumps(ticker(trade_id="900701309", sequence="115498669093"))
    for name in ("price", "best_bid", "best_ask", "best_ask_size", "last_size"):
        raw = raw.replace(f'"{name}": "{TICKER[name]}"', f'"{name}": {TICKER[name]}')
    assert f'"price": {TICKER["price"]},' in raw
    assert feed(ExchangeFeed(), raw.encode()) == feed(ExchangeFeed(), TICKER)


def test_a_number_keeps_digits_that_a_float_would_lose():
    raw = json.dumps(TICKER).replace('"103472.28"', "103472.2800000000000001", 1)
    ((tick,), _) = feed(ExchangeFeed(), raw.encode())
    assert tick.price == "103472.2800000000000001"


def test_an_advanced_number_for_a_string_means_the_same():
    raw = json.dumps(ENVELOPE).replace('"67223.49"', "67223.49").replace(": 0,", ': "0",')
    assert feed(AdvancedTrade(), raw.encode()) == feed(AdvancedTrade(), ENVELOPE)


@pytest.mark.parametrize("absent", [{"best_bid_size": ""}, {"best_bid_size": None}])
def test_sizes_may_be_absent(absent):
    ((tick,), _) = feed(ExchangeFeed(), ticker(**absent))
    assert tick.bid_size is None


def test_time_going_back_within_its_second_is_passed_on():
    before = START - S // 2
    events, letters = feed(ExchangeFeed(), ticker(0), ticker(1, time=format_time(before)))
    assert letters == []
    assert [event.event_time_ns for event in events] == [START, before]


# Frames turned bad.


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (b"garbage", Fault.NOT_JSON),
        (b"", Fault.NOT_JSON),
        (json.dumps(TICKER).encode()[:-9], Fault.NOT_JSON),
        (json.dumps(TICKER).encode().replace(b"BTC", b"B\xffC"), Fault.NOT_UTF8),
        (json.dumps(TICKER).encode().replace(b"open_24h", b"\xff"), Fault.NOT_UTF8),
        (b"[1,2]", Fault.WRONG_SHAPE),
        (ticker(best_bid=None), Fault.WRONG_SHAPE),
        (ticker(time=None), Fault.WRONG_SHAPE),
        (ticker(price=["1"]), Fault.WRONG_SHAPE),
        (ticker(price=True), Fault.WRONG_SHAPE),
        (ticker(product_id=""), Fault.WRONG_SHAPE),
        (ticker(trade_id=-1), Fault.WRONG_SHAPE),
        (ticker(trade_id=2**63), Fault.WRONG_SHAPE),
        ({"type": "received", "product_id": "BTC-USD"}, Fault.UNKNOWN_TYPE),
        ({"type": "match", "product_id": "BTC-USD"}, Fault.WRONG_SHAPE),
        ({"type": "error", "message": "no", "reason": "because"}, Fault.VENUE_ERROR),
        (ticker(product_id="DOGE-USD"), Fault.UNKNOWN_PRODUCT),
        (heartbeat(0, 0, product_id="DOGE-USD"), Fault.UNKNOWN_PRODUCT),
        (ticker(price="NaN"), Fault.NOT_A_NUMBER),
        (ticker(best_bid_size="1e5"), Fault.NOT_A_NUMBER),
        (ticker(price="-103472.28"), Fault.NOT_POSITIVE),
        (ticker(best_bid="0"), Fault.NOT_POSITIVE),
        (ticker(best_bid="103472.29"), Fault.CROSSED_QUOTE),
        (ticker(time="2025-11-12T07:20:11"), Fault.BAD_TIME),
        (ticker(time="soon"), Fault.BAD_TIME),
        (ticker(61), Fault.FUTURE),
        (heartbeat(61, 0), Fault.FUTURE),
    ],
)
def test_a_bad_exchange_frame_becomes_a_dead_letter_with_its_bytes(message, fault):
    machine = ExchangeFeed(Rules(products=frozenset({"BTC-USD"})))
    machine.receive(frame(b'{"type":"subscriptions"}'))
    bad = frame(message, receive_time_ns=START)
    events, letters, _ = machine.receive(bad)
    assert events == ()
    (letter,) = letters
    assert letter.fault is fault
    assert letter.detail
    assert (letter.original, letter.source, letter.position) == (bad.data, "c", "2")
    assert letter.receive_time_ns == START


def test_a_venues_error_keeps_its_words():
    _, (letter,) = feed(ExchangeFeed(), {"type": "error", "message": "no", "reason": "because"})
    assert letter.detail == "no: because"


def test_events_up_to_a_minute_ahead_are_a_clock_that_is_off_and_pass_when_three_agree():
    machine = ExchangeFeed()
    heard = [
        machine.receive(frame(ticker(60 + n), receive_time_ns=START + n * S)) for n in range(4)
    ]
    assert [len(each.dead_letters) for each in heard] == [1, 1, 0, 0]


def test_without_a_receive_time_nothing_is_called_future():
    assert ExchangeFeed().receive(frame(ticker(10**6))).events


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"channel": "l2_data"}, Fault.UNKNOWN_TYPE),
        ({"timestamp": "soon"}, Fault.BAD_TIME),
        ({"events": {}}, Fault.WRONG_SHAPE),
        ({"events": [{"type": "odd", "tickers": []}]}, Fault.WRONG_SHAPE),
        ({"events": [{"type": "update", "tickers": [{"product_id": "X"}]}]}, Fault.WRONG_SHAPE),
    ],
)
def test_a_bad_advanced_frame_is_a_dead_letter_and_still_counted(change, fault):
    events, letters = feed(AdvancedTrade(), envelope(0), envelope(1, **change), envelope(2))
    assert faults(letters) == [fault]
    causes = [gap.cause for gap in gaps(events)]
    assert causes == ([] if "channel" in change else [GapCause.REFUSED]), "no jump of the number"


def test_a_bad_ticker_does_not_take_the_good_ones_of_its_frame():
    message = envelope(0, ("A", "B", "C"))
    message["events"][0]["tickers"][1]["price"] = "NaN"
    events, letters = feed(AdvancedTrade(), message)
    assert [event.product for event in events] == ["A", "C"]
    assert (faults(letters), letters[0].key) == ([Fault.NOT_A_NUMBER], "B")


def test_a_refused_ticker_of_advanced_trade_is_a_gap_of_its_product_alone():
    bad = envelope(1, ("A", "B"))
    bad["events"][0]["tickers"][1]["best_bid"] = "-1"
    events, _ = feed(AdvancedTrade(), envelope(0, ("A", "B")), bad, envelope(2, ("A", "B")))
    assert [(gap.product, gap.cause, gap.missing) for gap in gaps(events)] == [
        ("B", GapCause.REFUSED, 1)
    ]


def test_a_refused_heartbeat_of_advanced_trade_is_no_gap():
    message = beats(1, 1) | {"timestamp": "soon"}
    events, letters = feed(AdvancedTrade(), envelope(0), message, envelope(2))
    assert faults(letters) == [Fault.BAD_TIME]
    assert gaps(events) == []


def test_an_error_of_advanced_trade_is_a_dead_letter_with_its_words():
    _, (letter,) = feed(AdvancedTrade(), {"type": "error", "message": "authentication failure"})
    assert (letter.fault, letter.detail) == (Fault.VENUE_ERROR, "authentication failure")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def mutations(draw, message):
    """A frame with some fields changed or gone, then some bytes changed, cut or doubled."""
    message = json.loads(json.dumps(message))
    events = message.get("events", [message])
    inside = events[0].get("tickers", events)[0]
    for target in (message, inside):
        for name in draw(st.lists(st.sampled_from(sorted(target)), max_size=2)):
            if draw(st.booleans()):
                target.pop(name, None)
            else:
                target[name] = draw(
                    json_values | st.sampled_from(["NaN", "-1", "1e9", "", "0", 5, 1.5])
                )
    data = bytearray(json.dumps(message).encode())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@settings(max_examples=300)
@given(st.lists(mutations(TICKER) | mutations(heartbeat(0, 0)), max_size=5))
def test_any_exchange_frame_is_events_or_one_dead_letter(frames):
    check_outcomes(ExchangeFeed(), frames, {"subscriptions"})


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(mutations(ENVELOPE) | mutations(beats(1, 1)), max_size=5))
def test_any_advanced_frame_is_events_or_one_dead_letter(frames):
    # A ticker frame may hold no tickers, and heartbeats may come before them.
    check_outcomes(AdvancedTrade(), frames, {"subscriptions", "heartbeats", "ticker"})


def check_outcomes(machine, frames, quiet):
    for number, data in enumerate(frames, 1):
        events, letters, _ = machine.receive(frame(data))
        for event in events:
            if isinstance(event, Tick):
                assert 0 < Decimal(event.price) < Decimal("Infinity")
                assert 0 < Decimal(event.bid) <= Decimal(event.ask)
        for letter in letters:
            assert (letter.original, letter.position) == (data, str(number))
        assert len(letters) <= 1
        if not events and not letters:
            message = json.loads(data)
            assert message.get("channel", message.get("type")) in quiet
        continuity = machine.holes.continuity
        state = continuity.snapshot()
        continuity.restore(state)
        assert continuity.snapshot() == state


# One machine over both.


def heard(message, dialect, connection="c"):
    return Heard(frame(message, connection), dialect)


def test_an_archive_heard_again_gives_all_events_and_refusals_in_order():
    torn = DeadLetter(
        fault=Fault.TRUNCATED, detail="", source="file", position="3", key="", original=b""
    )
    entries = [
        Opening(connection="c", dialect=Dialect.EXCHANGE),
        heard(ticker(0), Dialect.EXCHANGE),
        torn,
        heard(ticker(1, price="NaN"), Dialect.EXCHANGE),
        heard(ticker(2), Dialect.EXCHANGE),
        Closing("c"),
    ]
    outcomes = []
    outcomes.extend(Coinbase().hear(entries, outcomes.append))
    assert [getattr(each, "fault", type(each)) for each in outcomes] == [
        Tick, Fault.TRUNCATED, Fault.NOT_A_NUMBER, Gap, Tick,
    ]  # fmt: skip


def test_every_entry_belongs_to_a_connection_and_was_received_or_not():
    one = frame(TICKER, "c", receive_time_ns=5)
    entries = [
        Opening(connection="c", dialect=Dialect.EXCHANGE),
        Heard(one, Dialect.EXCHANGE),
        Answer("BTC-USD", one),
        Settlement("c", "BTC-USD", 6),
        Closing("c"),
    ]
    assert {connection_of(entry) for entry in entries} == {"c"}
    assert [received_of(entry) for entry in entries] == [None, 5, 5, 6, None]


def test_what_is_taken_in_goes_to_the_machine_of_its_dialect():
    machine = Coinbase()
    assert machine.take(Opening(connection="c", dialect=Dialect.EXCHANGE)) == Received()
    assert machine.connections == ["c"]
    exchange = machine.take(heard(TICKER, Dialect.EXCHANGE)).events
    advanced = machine.take(heard(ENVELOPE, Dialect.ADVANCED, "a")).events
    assert [event.connection for event in (*exchange, *advanced)] == ["c", "a"]
    assert list(machine.take(Closing("a")).events) == []
    assert machine.connections == ["c"]


def test_the_venues_word_for_what_is_subscribed_is_a_notice():
    channels = [
        {"name": "ticker", "product_ids": ["BTC-USDC", "ETH-USD"]},
        {"name": "heartbeat", "product_ids": ["BTC-USD"]},
    ]
    exchange = ExchangeFeed().receive(frame({"type": "subscriptions", "channels": channels}))
    assert exchange.notices == (
        Notice(
            "subscribed",
            "ticker: BTC-USDC, ETH-USD; heartbeat: BTC-USD",
            ("BTC-USD", "ETH-USD"),
        ),
    )
    events = [{"subscriptions": {"ticker": ["BTC-USD"], "heartbeats": ["heartbeats"]}}]
    advanced = AdvancedTrade().receive(frame(envelope(0, channel="subscriptions", events=events)))
    (notice,) = advanced.notices
    assert (notice.kind, notice.products) == ("subscribed", ("BTC-USD",))


@pytest.mark.parametrize("channels", [None, 5, [], [{}], [{"name": 1}], {"a": 1}])
def test_a_subscription_that_says_nothing_known_names_no_product(channels):
    message = {"type": "subscriptions", "channels": channels}
    assert [n.products for n in ExchangeFeed().receive(frame(message)).notices] == [()]
    message = envelope(0, channel="subscriptions", events=channels)
    assert [n.products for n in AdvancedTrade().receive(frame(message)).notices] == [()]


@pytest.mark.parametrize("machine", [ExchangeFeed, AdvancedTrade])
def test_what_the_venue_refused_is_a_notice_and_a_dead_letter(machine):
    error = {
        "type": "error",
        "message": "Failed to subscribe",
        "reason": "XYZ-USD is not a valid product",
    }
    received = machine().receive(frame(error))
    assert faults(received.dead_letters) == [Fault.VENUE_ERROR]
    text = "Failed to subscribe: XYZ-USD is not a valid product"
    assert received.notices == (Notice("error", text, ("XYZ-USD",)),)


@pytest.mark.parametrize("subscribed", ["BTC-USD", "BTC-USDC"])
def test_two_names_of_one_book_are_one_series(subscribed):
    rules = Rules(products=frozenset({subscribed}))
    messages = [
        ticker(0),
        ticker(1, product_id="BTC-USDC"),
        heartbeat(2, 1, product_id="BTC-USDC"),
    ]
    events, letters = feed(ExchangeFeed(rules), *messages, ticker(1))
    assert {event.product for event in events} == {"BTC-USD"}
    assert (gaps(events), faults(letters)) == ([], [Fault.DUPLICATE])
    events, _ = feed(AdvancedTrade(rules), envelope(0, ("BTC-USDC",)), envelope(1))
    assert {event.product for event in events} == {"BTC-USD"}


def test_a_product_that_is_no_longer_asked_for_is_refused_from_then_on():
    machine = Coinbase(Rules(products=frozenset({"BTC-USD"})))
    machine.take(heard(ticker(0), Dialect.EXCHANGE))
    other = Rules(products=frozenset({"ETH-USD"}))
    machine.take(Opening(connection="new", dialect=Dialect.EXCHANGE, rules=other))
    (letter,) = machine.take(heard(ticker(1), Dialect.EXCHANGE, "new")).dead_letters
    assert letter.fault is Fault.UNKNOWN_PRODUCT
