"""What a reader receives in each dialect, and that the feed's own machines understand all of it."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.voices import AdvancedVoice, ExchangeVoice, voice
from barograph.types import Gap, Tick, Trade
from barograph.venues.entries import Dialect
from market_events import PRODUCTS, START_NS, SUBSCRIPTIONS, S, beat, heard, message_of, trade

NOW = START_NS + 30 * S


def ask(speaker, request, last=None, now_ns=NOW):
    return speaker.receive(msgspec.json.encode(request), now_ns, last or {})


def subscribe(*channels, products=PRODUCTS, kind="subscribe"):
    return {"type": kind, "product_ids": list(products), "channels": list(channels)}


def advanced(channel, products=PRODUCTS, kind="subscribe"):
    return {"type": kind, "product_ids": list(products), "channel": channel}


def exchange_voice(*channels, products=PRODUCTS):
    speaker = ExchangeVoice(PRODUCTS)
    ask(speaker, subscribe(*channels, products=products))
    return speaker


def test_a_subscription_to_the_exchange_feed_is_answered_with_all_that_is_held():
    speaker = ExchangeVoice(PRODUCTS)
    (answer,) = ask(speaker, subscribe("ticker", {"name": "heartbeat", "product_ids": ["ETH-USD"]}))
    assert message_of(answer) == {
        "type": "subscriptions",
        "channels": [
            {"name": "ticker", "product_ids": ["BTC-USD", "ETH-USD"], "account_ids": None},
            {"name": "heartbeat", "product_ids": ["BTC-USD", "ETH-USD"], "account_ids": None},
        ],
    }


def test_nothing_is_sent_without_a_subscription():
    assert ExchangeVoice(PRODUCTS).frames([trade(1), beat(1.5, 1)], NOW) == []
    assert AdvancedVoice(PRODUCTS).frames([trade(1), beat(1.5, 1)], NOW) == []
    frames = exchange_voice("ticker", products=["ETH-USD"]).frames([trade(1), beat(2, 1)], NOW)
    assert frames == []


def test_a_match_comes_before_its_ticker():
    frames = exchange_voice("ticker", "matches", "heartbeat").frames([trade(1), beat(1.5, 1)], NOW)
    assert [message_of(frame)["type"] for frame in frames] == ["match", "ticker", "heartbeat"]
    assert [frame.prints for frame in frames] == [(trade(1),), (trade(1),), ()]
    assert {frame.products for frame in frames} == {("BTC-USD",)}


def test_a_trade_of_unknown_size_or_side_is_no_match():
    speaker = exchange_voice("ticker", "matches")
    for print_ in (trade(1, size=None), trade(2, side=None)):
        assert [frame.channel for frame in speaker.frames([print_], NOW)] == ["ticker"]
        again = ask(ExchangeVoice(PRODUCTS), subscribe("matches"), {"BTC-USD": print_})
        assert [frame.channel for frame in again] == ["subscriptions"]


def test_a_late_reader_receives_the_last_trade_first_and_only_once():
    speaker = ExchangeVoice(PRODUCTS)
    request = subscribe("ticker", "matches", products=["BTC-USD"])
    frames = ask(speaker, request, {"BTC-USD": trade(7), "ETH-USD": trade(9, product="ETH-USD")})
    assert [message_of(frame)["type"] for frame in frames] == [
        "subscriptions",
        "last_match",
        "ticker",
    ]
    assert {message_of(frame)["trade_id"] for frame in frames[1:]} == {7}
    assert len(ask(speaker, request, {"BTC-USD": trade(7)})) == 1


@pytest.mark.parametrize("dialect", Dialect)
def test_a_wrong_product_is_an_error_and_the_others_stay(dialect):
    speaker = voice(dialect, PRODUCTS)
    names = ["BTC-USD", "FOO-USD", "ETH-USD"]
    exchange = dialect is Dialect.EXCHANGE
    request = subscribe("ticker", products=names) if exchange else advanced("ticker", names)
    error, answer = ask(speaker, request)
    assert message_of(error) == {
        "type": "error",
        "message": "Failed to subscribe",
        "reason": "FOO-USD is not a valid product",
    }
    assert error.channel == "error"
    assert answer.channel == "subscriptions"
    assert list(speaker.subscribed["ticker"]) == ["BTC-USD", "ETH-USD"]


@pytest.mark.parametrize("dialect", Dialect)
def test_a_name_in_usdc_is_another_one_for_the_series_in_usd(dialect):
    speaker = voice(dialect, PRODUCTS)
    names = ["BTC-USDC", "BTC-USD"]
    exchange = dialect is Dialect.EXCHANGE
    ask(speaker, subscribe("ticker", products=names) if exchange else advanced("ticker", names))
    (frame,) = speaker.frames([trade(1)], NOW)
    assert b'"BTC-USD"' in frame.data


def test_a_market_that_has_usdc_keeps_it_apart():
    speaker = ExchangeVoice(["BTC-USDC", "BTC-USD"])
    ask(speaker, subscribe("ticker", products=["BTC-USDC"]))
    assert [f.products for f in speaker.frames([trade(1, product="BTC-USDC")], NOW)] == [
        ("BTC-USDC",)
    ]
    assert speaker.frames([trade(1)], NOW) == []


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"{", "Malformed JSON"),
        (b"\xff", "Malformed JSON"),
        (b'{"type":7}', "Malformed JSON"),
        (b'{"type":"hello"}', "Failed to subscribe"),
        (b'{"type":"subscribe","channels":["level3"],"channel":"level3"}', "Failed to subscribe"),
    ],
)
@pytest.mark.parametrize("dialect", Dialect)
def test_a_request_that_cannot_be_met_is_answered_with_an_error(dialect, message, why):
    speaker = voice(dialect, PRODUCTS)
    assert message_of(speaker.receive(message, NOW, {})[0])["message"] == why
    assert speaker.subscribed == {}


@given(message=st.binary(max_size=200), dialect=st.sampled_from(Dialect))
def test_no_message_of_a_reader_is_too_strange(message, dialect):
    for frame in voice(dialect, PRODUCTS).receive(message, NOW, {}):
        assert frame.channel in {"error", "subscriptions"}


def test_who_unsubscribes_receives_no_more():
    speaker = exchange_voice("ticker", "heartbeat")
    (answer,) = ask(speaker, subscribe("ticker", products=["BTC-USD"], kind="unsubscribe"))
    assert message_of(answer)["channels"][0]["product_ids"] == ["ETH-USD"]
    assert [f.channel for f in speaker.frames([trade(1), beat(1.5, 1)], NOW)] == ["heartbeat"]
    ask(speaker, subscribe("heartbeat", products=[], kind="unsubscribe"))
    assert list(speaker.subscribed) == ["ticker"]
    ask(speaker, subscribe("ticker", products=[], kind="unsubscribe"))
    assert speaker.subscribed == {}


def test_advanced_trade_sends_the_snapshot_before_its_answer_and_counts_both():
    speaker = AdvancedVoice(PRODUCTS)
    frames = ask(speaker, advanced("ticker"), {"ETH-USD": trade(7, product="ETH-USD")})
    frames += ask(speaker, advanced("heartbeats", ()))
    messages = [message_of(frame) for frame in frames]
    assert [each["channel"] for each in messages] == ["ticker", "subscriptions", "subscriptions"]
    assert [each["sequence_num"] for each in messages] == [0, 1, 2]
    assert messages[0]["events"][0]["type"] == "snapshot"
    assert [one["product_id"] for one in messages[0]["events"][0]["tickers"]] == ["ETH-USD"]
    held = {"ticker": ["BTC-USD", "ETH-USD"], "heartbeats": ["heartbeats"]}
    assert messages[2]["events"] == [{"subscriptions": held}]


def test_trades_that_are_sent_together_stand_in_one_frame_of_advanced_trade():
    speaker = AdvancedVoice(PRODUCTS)
    ask(speaker, advanced("ticker"))
    prints = [trade(1), trade(1, product="ETH-USD"), trade(2)]
    (frame,) = speaker.frames(prints, NOW)
    (event,) = message_of(frame)["events"]
    names = [one["product_id"] for one in event["tickers"]]
    assert (event["type"], names) == ("update", ["BTC-USD", "ETH-USD", "BTC-USD"])
    assert (frame.prints, frame.products) == (tuple(prints), PRODUCTS)
    assert message_of(frame)["timestamp"] == "2025-06-15T15:07:10.000000Z"


def test_advanced_trade_beats_once_a_second_for_all_products_together():
    speaker = AdvancedVoice(PRODUCTS)
    ask(speaker, advanced("heartbeats", ()))
    frames = []
    for half in range(8):
        at_s = half / 2
        beats = [beat(at_s, 1), beat(at_s, 1, "ETH-USD")]
        frames += speaker.frames(beats, START_NS + half * S // 2)
    counters = [message_of(frame)["events"][0]["heartbeat_counter"] for frame in frames]
    assert counters == [1, 2, 3, 4]


def test_numbers_may_begin_anew():
    speaker = AdvancedVoice(PRODUCTS)
    ask(speaker, advanced("ticker"))
    numbers = []
    for n in range(4):
        if n == 2:
            speaker.restart()
        numbers += [
            message_of(frame)["sequence_num"] for frame in speaker.frames([trade(n)], NOW + n)
        ]
    assert numbers == [1, 2, 0, 1]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), dialect=st.sampled_from(Dialect), seconds=st.integers(1, 30))
def test_the_feed_hears_every_trade_and_nothing_else(seed, dialect, seconds):
    """Without a fault there is no dead letter and no gap in either dialect."""
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_NS)
    speaker = voice(dialect, PRODUCTS)
    data = []
    for request in SUBSCRIPTIONS[dialect]:
        data += [frame.data for frame in speaker.receive(json.dumps(request).encode(), NOW, {})]
    made = list(market.events(seconds))
    for event in made:
        data += [frame.data for frame in speaker.frames([event], event.time_ns)]
    events, letters = heard(dialect, data)
    assert letters == []
    assert not [event for event in events if isinstance(event, Gap | Trade)]
    prints = [event for event in made if hasattr(event, "price")]
    ticks = [event for event in events if isinstance(event, Tick)]
    assert [(t.product, t.event_time_ns, t.price, t.bid, t.ask) for t in ticks] == [
        (p.product, p.time_ns, p.price, p.bid, p.ask) for p in prints
    ]
    if dialect is Dialect.EXCHANGE:
        assert [(t.trade_id, t.side, t.last_size) for t in ticks] == [
            (p.trade_id, p.side, p.size) for p in prints
        ]
