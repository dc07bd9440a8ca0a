"""A million damaged frames through each venue machine: nothing is raised, the state stays small."""

import json

import numpy as np
import pytest

from barograph.types import Frame
from barograph.venues.coinbase import Coinbase
from barograph.venues.continuity import MAX_WAITING, Received
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Rules, Settlement
from barograph.venues.holes import MAX_QUEUE
from barograph.venues.timestamps import format_time
from coinbase_messages import START, S, beats, envelope, heartbeat, match, page, ticker

FRAMES_TAKEN = 1_000_000
FRAMES = 10_000
LAP = 50_000
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
        told = {"time": format_time(START + n * S // 1000), "product_id": PRODUCTS[n % 2]}
        rest = [
            heartbeat(0, n // 8, **told),
            {"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": ["A-USD"]}]},
            {"type": "error", "message": "no", "reason": "B-USD is unknown"},
            match(n // 8, **told) | {"type": "last_match"},
        ]
        kinds = [ticker(n // 8, **told), match(n // 8, **told)] * 9 + rest
        yield json.dumps(kinds[n * 7 % len(kinds)]).encode()
        if n % 10 == 0:
            lost = (match(k, **told) for k in range(max(n // 8 - 8, 0), n // 8 + 2))
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


def damaged(frame, other, how, place, number):
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
    insert = INSERTS[number % len(INSERTS)] if number % 100 else DEEP[number // 100 % len(DEEP)]
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
@pytest.mark.parametrize(
    ("made", "dialect"),
    [(exchange_frames, Dialect.EXCHANGE), (advanced_frames, Dialect.ADVANCED)],
)
def test_a_million_damaged_frames_raise_nothing_and_leave_a_small_state(made, dialect):
    frames, rng = list(made()), np.random.default_rng(7)
    events = letters = 0
    for _ in range(FRAMES_TAKEN // LAP):
        machine = Coinbase(RULES)
        for entry in damaged_entries(frames, dialect, rng):
            received = machine.take(entry)
            assert type(received) is Received
            events += len(received.events)
            letters += len(received.dead_letters)
        check_state(machine)
    # Else the damage left nothing to go wrong deeper inside, or was none.
    assert events > FRAMES_TAKEN / 50
    assert letters > FRAMES_TAKEN / 3


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
