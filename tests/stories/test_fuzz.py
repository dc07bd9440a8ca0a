"""Damaged frames and records through each machine: nothing is raised, nothing is poisoned.

`make test-operations` takes a million frames; of records so many as BAROGRAPH_FUZZ_RECORDS says
(100,000), for most of the time goes into the rows that the sound ones among them make.
"""

import json
import os
import re

import numpy as np
import pytest

from barograph import codec
from barograph.app.terminal.live_view import render
from barograph.candle_records import HOUR_S, Candle
from barograph.cases.market import MARKET
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.hourly.machine import HourlyFeatures
from barograph.log import Topic, open_log
from barograph.log.topics import FEATURES, PREDICTIONS
from barograph.pipeline import check
from barograph.pipeline.record_scorer import RecordScorer
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow
from barograph.pipeline.watch import PredictionWatch
from barograph.times import format_time
from barograph.types import Fault, Frame, Heartbeat, Record, Side, Tick, Trade
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.continuity import MAX_WAITING, Received
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Rules, Settlement
from barograph.venues.holes import MAX_QUEUE
from coinbase_messages import START, S, beats, envelope, heartbeat, match, page, ticker
from customers import STREAM
from market_stages import MarketScorer
from scored_rows import model

RECORDS_TAKEN = int(os.environ.get("BAROGRAPH_FUZZ_RECORDS", "100000"))
FRAMES = 10_000
LAP = 10_000
PRODUCTS = ("BTC-USD", "ETH-USDC")
RULES = Rules(products=frozenset(PRODUCTS))
PAGE = b"a page"

INSERTS = (
    b"null", b"true", b"0", b"-1", b"1.5", b"-0.0", b"1e999999999", b"9" * 500,
    b"9223372036854775808", b'""', b'"x"', b'"NaN"', b'"1"', b'"\\ud800"', b"[]", b"{}",
    b"\xff", b"\x00", b",", b"}", b'"type":"match",',
    b'"trade_id":900701400,', b"ETH-USD", b"ticker",
)  # fmt: skip
DEEP = (b"[" * 3000, b'{"a":' * 1000)
"""Each takes fifty times as long to refuse as another, and is refused in one place."""


def exchange_frames():
    """Trades a millisecond apart, now one of ten without its ticker; beats, pages, and the rest."""
    for n in range(FRAMES):
        stamp = {"time": format_time(START + n * S // 1000), "product_id": PRODUCTS[n % 2]}
        rest = [
            heartbeat(0, n // 8, **stamp),
            {"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": ["A-USD"]}]},
            {"type": "error", "message": "no", "reason": "B-USD is unknown"},
            match(n // 8, **stamp) | {"type": "last_match"},
        ]
        kinds = [ticker(n // 8, **stamp), match(n // 8, **stamp)] * 9 + rest
        yield json.dumps(kinds[n * 7 % len(kinds)]).encode()
        if n % 10 == 0:
            lost = (match(k, **stamp) for k in range(max(n // 8 - 8, 0), n // 8 + 2))
            yield PAGE + json.dumps(page(*lost)).encode()


def advanced_frames():
    for n in range(FRAMES):
        kinds = [envelope(n, PRODUCTS, seconds=n / 1000)] * 8 + [
            envelope(n, PRODUCTS, kind="snapshot", seconds=n / 1000),
            beats(n, n, seconds=n / 1000),
            envelope(
                n, channel="subscriptions", events=[{"subscriptions": {"ticker": ["BTC-USD"]}}]
            ),
            {"type": "error", "message": "B-USD is unknown"},
        ]
        yield json.dumps(kinds[n * 7 % len(kinds)]).encode()


def damaged(frame, other, how, place, number, inserts=INSERTS):
    """A frame with one thing changed, nine times of ten."""
    place %= len(frame)
    if how < 26:
        return frame
    if how < 80:
        return frame[:place] + bytes([frame[place] ^ (1 << number % 8)]) + frame[place + 1 :]
    if how < 110:
        return frame[:place]
    if how < 140:
        return frame[:place] + other[number % len(other) :]
    insert = inserts[number % len(inserts)] if number % 100 else DEEP[number // 100 % len(DEEP)]
    if how < 170:
        return frame[:place] + insert + frame[place:]
    # Another value for one of the names.
    colon = frame.find(b":", place)
    comma = frame.find(b",", colon)
    return frame[: colon + 1] + insert + (frame[comma:] if comma > 0 else b"}")


def damaged_entries(frames, dialect, rng):
    """One lap through the frames, on connections that are lost now and then."""
    name = "c"
    yield Opening(connection=name, dialect=dialect, fill=dialect is Dialect.EXCHANGE)
    chances = rng.integers(0, 2**31, (LAP, 5)).tolist()
    for number, (how, place, value, jump, other) in enumerate(chances):
        near = (number * len(frames) // LAP + jump % 12) % len(frames)
        data = damaged(frames[near], frames[other % len(frames)], how % 256, place, value)
        # At times a receive time that makes the frame come from the future.
        received_ns = START + near * S // 1000 - (jump % 1000 == 0) * 100 * S
        if data.startswith(PAGE):
            data = data.removeprefix(PAGE)
            yield Answer(PRODUCTS[value % 2], Frame(data=data, connection=name))
        else:
            yield Heard(Frame(data=data, connection=name, receive_time_ns=received_ns), dialect)
        if value % 500 == 0:
            yield Settlement(connection=name, product=PRODUCTS[value // 500 % 2])
        if value % 10_000 == 0:
            yield Closing(name)
            name = "d" if name == "c" else "c"
            yield Opening(connection=name, dialect=dialect, fill=dialect is Dialect.EXCHANGE)


@pytest.mark.slow
@pytest.mark.parametrize("taken", [LAP, pytest.param(1_000_000, marks=pytest.mark.operations)])
@pytest.mark.parametrize(
    ("made", "dialect"),
    [(exchange_frames, Dialect.EXCHANGE), (advanced_frames, Dialect.ADVANCED)],
)
def test_damaged_frames_raise_nothing_and_leave_a_small_state(made, dialect, taken):
    frames, rng = list(made()), np.random.default_rng(7)
    events = letters = 0
    for _ in range(taken // LAP):
        machine = Coinbase(RULES)
        for entry in damaged_entries(frames, dialect, rng):
            received = machine.take(entry)
            assert type(received) is Received
            events += len(received.events)
            for event in received.events:
                codec.decode_numbers(codec.encode(event))  # what a venue says, the log can carry
            letters += len(received.dead_letters)
        check_state(machine)
    # Else the damage left nothing to go wrong deeper inside, or was none.
    assert events > taken / 50
    assert letters > taken / 3


def check_state(machine):
    """It is small, and the machine that it makes is the same."""
    state = machine.snapshot()
    again = Coinbase(RULES)
    again.restore(state)
    assert again.snapshot() == state
    continuity = again.continuity
    assert set(continuity.lines) <= {"BTC-USD", "ETH-USD"}
    assert len(continuity.connections) <= 1
    for line in continuity.lines.values():
        assert len(line.waiting) <= MAX_WAITING
    for hold in continuity.holds.values():
        assert len(hold.queue) + len(hold.ticks) <= MAX_QUEUE
    assert len(again.holes()) <= 2


VALUES = (
    *INSERTS, b'"BUY"', b"-5", b"9223372036854775807", b"-9223372036854775809", b"1e400", b"NaN",
    b'"Infinity"', b'"1e400"', b'"-1"', b"[1,2]", b'"%b"' % (b"9" * 10_000), b"9" * 5000,
    b'"\\u0000next"',
    b'"%b"' % (b"x" * 100_000), b"253402300800000000000", b"4102444800000000000", b"1", b'"1e-300"',
    b'"999999999999999999"', b'"tick/2"', b'"\\u202e\\u001b[31m"',
)  # fmt: skip
DEEPER = (b"[" * 100_000, b'{"a":' * 100_000)
KEY = re.compile(rb'"(?:product|name)": ?"([^"]{1,100})"')
HEADERS = {"appended_time_ns": str(START)}


def ticks():
    """A few products at a few ticks a second, with a beat and a trade among them."""
    for n in range(FRAMES):
        at = {"event_time_ns": START + n * S // 8, "receive_time_ns": START + n * S // 8 + 7}
        product = PRODUCTS[n % 2]
        cent = f"{n * 37 % 90 + 10}"
        quote = {"bid": f"100.{cent}", "ask": f"101.{cent}", "bid_size": "1.5", "ask_size": "2"}
        traded = {"trade_id": n, "last_size": "0.25", "side": Side.BUY, "volume_24h": "1000.5"}
        kinds = [Tick(product=product, price="100.5", **quote, **traded, **at)] * 6 + [
            Heartbeat(product=product, last_trade_id=n, **at),
            Trade(product=product, price="100.5", size="1", side=Side.SELL, trade_id=n, **at),
        ]
        yield codec.encode(kinds[n * 5 % len(kinds)])


def candles():
    """Hours of both products until START, some of them without a trade, revised or bad."""
    for n in range(FRAMES):
        cent = f"{n * 37 % 90 + 10}"
        prices = {"open": f"100.{cent}", "close": f"101.{cent}", "high": "105", "low": "99.5"}
        hour = START // S // HOUR_S - 5_100 + n // 2 - (n % 11 == 10) * (n % 1_000)
        yield codec.encode(
            Candle(
                product=PRODUCTS[n % 2],
                start_s=hour * HOUR_S,
                **({} if n % 13 == 12 else prices),
                volume="0" if n % 13 == 12 else f"{n % 17}.5",
                source="file",
                version=1 + (n % 11 == 10),
            )
        )


def rows():
    made = [
        Record("ticks.raw", 0, n, key_in(value), value, HEADERS) for n, value in enumerate(ticks())
    ]
    return [value for _, value in Featurizer().receive(made).values]


def predictions():
    made = [
        Record("ticks.features", 0, n, key_in(value), value, HEADERS)
        for n, value in enumerate(rows())
    ]
    return [value for _, value in Scorer(MARKET, model()).receive(made).values]


def customers():
    for n in range(FRAMES):
        numbers = {"tenure": n % 70, "charges": n % 90 + 0.5, "calls": n % 7}
        yield json.dumps({"name": f"c{n}", **numbers, "left": None, "note": "é"}).encode()


def damaged_values(good, laps, seed):
    """Laps of damaged records, each about once through the good ones in their order."""
    rng = np.random.default_rng(seed)
    for _ in range(laps):
        chances = rng.integers(0, 2**31, (LAP, 4)).tolist()
        yield [
            DEEPER[n % 2]
            if n % 10_000 == 9999
            else damaged(
                good[n * len(good) // LAP], good[other % len(good)], how % 256, place, value, VALUES
            )
            for n, (how, place, value, other) in enumerate(chances)
        ]  # fmt: skip


MACHINES = {
    "featurizer": (Featurizer, ticks),
    "cold start": (MarketScorer, rows),
    "scorer": (lambda: Scorer(MARKET, model()), rows),
    "hourly features": (HourlyFeatures, candles),
    "record scorer": (lambda: RecordScorer("customers", STREAM.contract), customers),
}


def fields_of(machine):
    """A machine's state, without what lies between the fields of a record and is nobody's."""
    if isinstance(machine, Featurizer):
        states = zip(machine._states.names, machine._states.array, strict=False)
        return {name: repr(state.tolist()) for name, state in states}
    return machine.snapshot()


@pytest.mark.slow
@pytest.mark.parametrize("taken", [LAP, pytest.param(RECORDS_TAKEN, marks=pytest.mark.operations)])
@pytest.mark.parametrize("name", MACHINES)
def test_damaged_records_are_each_a_value_or_one_letter_and_leave_no_trace(name, taken):
    """What was refused might as well not have come: state and values are those without it."""
    new_machine, made = MACHINES[name]
    letters = values = 0
    for lap in damaged_values(list(made()), taken // LAP, 11):
        hostile, clean = new_machine(), new_machine()
        for start in range(0, LAP, 5000):
            records = [
                Record("in", 0, start + n, key_in(value), value, HEADERS)
                for n, value in enumerate(lap[start : start + 5000])
            ]
            outcome = hostile.receive(records)
            refused = [int(letter.position.partition(":")[2]) for letter in outcome.dead_letters]
            assert len(refused) == len(set(refused))
            rest = [record for record in records if record.offset not in set(refused)]
            again = clean.receive(rest)
            assert again.dead_letters == []
            assert again.values == outcome.values
            letters, values = letters + len(refused), values + len(outcome.values)
            assert Fault.NOT_UTF8 in {letter.fault for letter in outcome.dead_letters}
        assert fields_of(clean) == fields_of(hostile)
        assert not any(key.startswith(chr(0)) for key in hostile.snapshot())
    assert letters > taken / 3
    assert values > taken / 1000


def key_in(value):
    """The key that a producer would have given, where it can be told."""
    key = KEY.search(value)
    return key[1].decode("ascii", "replace") if key else ""


@pytest.mark.slow
def test_readers_of_topics_take_any_bytes(tmp_path):
    """A word or UnreadableError, and what check and the live view make of a word raises nothing."""
    log = open_log(tmp_path)
    for topic in (PREDICTIONS, FEATURES):
        log.create(Topic(name=topic))
    watch, seen = PredictionWatch(log), check._Seen()
    shadow = Shadow(MARKET, model(created_time_ns=0))
    readers = {
        "ticks": (ticks, codec.decode_event), "rows": (rows, codec.decode_row),
        "predictions": (predictions, codec.decode_prediction),
    }  # fmt: skip
    for made, decode in readers.values():
        for lap in damaged_values(list(made()), 1, 13):
            records = [
                Record("in", 0, n, key_in(value), value, HEADERS) for n, value in enumerate(lap)
            ]
            decode.all_of(records)
            assert shadow.receive(records).dead_letters == []
            for record in records:
                seen.take(record)
                watch._read(record)
                watch._take_row(record)
        render(watch, "damaged", clock_ns=lambda: START)
        seen.products_at(START)
    log.close()
    assert watch.unreadable
    assert seen.kinds[check.UNREADABLE]
