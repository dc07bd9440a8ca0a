"""The lane takes what is plain, gives what the machine gives, and leaves the rest alone."""

import json

import numpy as np
import pytest

from barograph import codec
from barograph.codec import EVENT
from barograph.times import format_time
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.coinbase.fast_lane import Columns
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Dialect, Opening, Rules
from barograph.venues.holes import Holes
from coinbase_messages import START, TICKER, S, frame, heartbeat, ticker

OPENING = Opening(connection="c", dialect=Dialect.EXCHANGE)


def beside(*heard, opening=OPENING, timeout_s=10.0):
    """A machine that has heard some messages, and the lane beside it."""
    continuity = Continuity(Rules(silence_timeout_s=timeout_s))
    machine = ExchangeFeed(holes=Holes(continuity))
    machine.open(opening)
    events = [event for message in heard for event in machine.receive(frame(message)).events]
    lane = Columns(opening, continuity, timeout_s, index())
    lane.learn(event.product for event in events)
    return machine, continuity, lane


def index():
    """Places of products in the order in which they are asked for."""
    places = {}
    return lambda product: places.setdefault(product, len(places))


def text(*messages):
    return b"".join(
        (m if isinstance(m, bytes) else json.dumps(m).encode()) + b"\n" for m in messages
    )


def taken(lane, block, room=8):
    """How much of a block the lane takes: bytes and events."""
    events = np.zeros(room, EVENT)
    place, filled = lane.take(block, 0, events, 0)
    return place, events[:filled]


def as_machine(machine, *messages):
    """The events of the machine alone as an array."""
    events = [e for message in messages for e in machine.receive(frame(message)).events]
    numbers = [codec.decode_numbers(codec.encode(event)) for event in events]
    return codec.event_array(numbers, index())


def same(ours, theirs):
    # exact: encoded records
    return len(ours) == len(theirs) and all(
        ours[name].tobytes() == theirs[name].tobytes() for name in EVENT.names
    )


def left_alone(message, **beside_how):
    """Whether the lane leaves a second line to the machine."""
    _, _, lane = beside(ticker(), **beside_how)
    return taken(lane, text(message))[0] == 0


@pytest.mark.slow
def test_plain_lines_become_the_events_that_the_machine_makes_of_them():
    alone, _, _ = beside(ticker())
    _, _, lane = beside(ticker())
    later = [ticker(1), ticker(2, side="sell"), ticker(3, best_bid="103472.26"), ticker(4)]
    place, events = taken(lane, text(*later))
    assert place == len(text(*later))
    assert same(events, as_machine(alone, *later))


def test_the_machine_goes_on_from_what_the_lane_took():
    alone, continuity_alone, _ = beside(ticker())
    machine, continuity, lane = beside(ticker())
    taken(lane, text(ticker(1), ticker(2)))
    lane.give_back()
    ours = machine.receive(frame(ticker(5)))
    for n in (1, 2):
        alone.receive(frame(ticker(n)))
    assert ours == alone.receive(frame(ticker(5)))
    assert continuity.snapshot() == continuity_alone.snapshot()


def test_the_lane_goes_on_from_what_the_machine_heard():
    machine, _, lane = beside(ticker())
    lane.give_back()
    events = machine.receive(frame(ticker(7))).events
    lane.learn(event.product for event in events)
    assert taken(lane, text(ticker(7)))[0] == 0
    assert len(taken(lane, text(ticker(8)))[1]) == 1


def test_it_stops_when_the_events_are_full_and_goes_on_there():
    _, _, lane = beside(ticker())
    block = text(*(ticker(n) for n in range(1, 6)))
    events = np.zeros(2, EVENT)
    place, filled = lane.take(block, 0, events, 0)
    assert filled == 2
    assert lane.take(block, place, np.zeros(9, EVENT), 4) == (len(block), 7)


def test_a_product_that_the_machine_never_accepted_is_left_to_it():
    assert left_alone(ticker(1, product_id="ETH-USD"))


def test_a_product_with_a_long_name_is_left_to_the_machine():
    long = "A-PRODUCT-OF-MORE-THAN-16"
    _, _, lane = beside(ticker(product_id=long))
    assert taken(lane, text(ticker(1, product_id=long)))[0] == 0


@pytest.mark.parametrize("change", [
    {"trade_id": TICKER["trade_id"] + 2},
    {"trade_id": TICKER["trade_id"] - 1},
    # A recording's hole, where the id of the last trade comes with another one.
    {"trade_id": TICKER["trade_id"], "price": "103472.27"},
    {"time": format_time(START + 11 * S)},
    {"price": "0"}, {"price": "-1"}, {"price": "1e3"}, {"price": "NaN"}, {"price": ""},
    {"price": ".5"}, {"price": "5."}, {"price": 103472.28}, {"price": "9007199254740993"},
    {"price": "0103472.28"},
    {"best_bid": "103472.29"}, {"best_bid": None}, {"time": None}, {"product_id": ""},
    {"best_ask_size": ""}, {"best_ask_size": "3.7e-7"}, {"side": "BUY"}, {"side": "buyer"},
    {"trade_id": str(TICKER["trade_id"] + 1)}, {"trade_id": -1}, {"sequence": 10**18},
    {"volume_24h": "1\u00b2"}, {"note": "caf\u00e9"}, {"note": {"deep": 1}}, {"note": [1]},
    {"note": 1.5}, {"note": True}, {"note": "a\\b"},
])  # fmt: skip
def test_what_is_not_plain_is_left_to_the_machine(change):
    assert left_alone(ticker(1) | change)


@pytest.mark.parametrize("line", [
    b'{"type":"ticker"}',
    b'{"type":"heartbeat","product_id":"BTC-USD","time":"2025-11-12T07:20:12Z","sequence":900000}',
    json.dumps(ticker(1)).encode()[:-1],
    json.dumps(ticker(1)).encode() + b"x",
    json.dumps(ticker(1)).encode().replace(b'"price"', b'"best_bid"'),
    json.dumps(ticker(1)).encode().replace(b'"price"', b'"pri\\u0063e"'),
    json.dumps(ticker(1)).encode().replace(b": 9007", b": 09007"),
    json.dumps(ticker(1)).encode()[:-1] + b', "best_bid": "103472.26"}',
    b" " + json.dumps(ticker(1)).encode(),
    b"",
])  # fmt: skip
def test_a_line_of_another_shape_is_left_to_the_machine(line):
    assert left_alone(line)


@pytest.mark.parametrize("change", [
    {}, {"low_24h": "any words"}, {"best_bid_size": None}, {"side": None}, {"sequence": None},
    {"best_bid": "103472.2"}, {"time": "2025-11-12T07:20:12Z"},
    {"price": "103472.280000"},
])  # fmt: skip
def test_these_are_plain(change):
    message = {name: value for name, value in (ticker(1) | change).items() if value is not None}
    assert not left_alone(message)


def test_members_may_stand_in_any_order_after_the_type_and_with_spaces():
    message = {"type": "ticker"} | dict(reversed(ticker(1).items()))
    for separators in ((",", ":"), (", ", ": "), (",  ", ":  ")):
        assert not left_alone(json.dumps(message, separators=separators).encode())
    assert not left_alone(json.dumps(message).encode() + b"\r")


def test_a_repeat_is_left_to_the_machine():
    assert left_alone(ticker(0))
    assert left_alone(ticker(0, best_bid="103472.270"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "103472.27"),
        ("best_bid", "103472.26"),
        ("best_ask", "103472.29"),
        ("best_bid_size", "2"),
        ("best_ask_size", "2"),
        ("best_ask_size", None),
    ],
)
@pytest.mark.parametrize("number", ["trade_id", "sequence", "time"])
def test_a_repeat_of_what_the_lane_took_is_left_to_the_machine(field, value, number):
    known = {"trade_id": ("trade_id",), "sequence": ("sequence",), "time": ()}[number]
    bare = {name: None for name in ("trade_id", "sequence") if name not in known}
    _, _, lane = beside(ticker(**bare))
    new = ticker(1, **bare) | {"sequence": 7} if number == "sequence" else ticker(1, **bare)
    new = {name: content for name, content in (new | {field: value}).items() if content is not None}
    assert len(taken(lane, text(new, new))[1]) == 1
    assert len(taken(lane, text(new))[1]) == 0


def test_a_name_that_ends_like_a_known_one_is_another():
    _, _, lane = beside(ticker(product_id="SIXTEEN-LETTERS-"))
    assert taken(lane, text(ticker(1, product_id="XSIXTEEN-LETTERS-")))[0] == 0
    assert taken(lane, text(ticker(1, product_id="SIXTEEN-LETTERS-")))[0] > 0


def test_a_repeat_is_known_by_its_sequence_where_there_is_no_trade_id():
    _, _, lane = beside(ticker(trade_id=None))
    assert taken(lane, text(ticker(1, trade_id=None)))[0] == 0
    assert taken(lane, text(ticker(1, trade_id=None, sequence=1)))[0] > 0


def test_a_repeat_without_any_number_is_known_by_its_time():
    bare = {"trade_id": None, "sequence": None}
    _, _, lane = beside(ticker(**bare))
    assert taken(lane, text(ticker(0, **bare)))[0] == 0
    assert taken(lane, text(ticker(1, **bare)))[0] > 0


def test_a_product_that_moved_to_another_connection_is_left_to_the_machine():
    machine, _, lane = beside(ticker())
    moved = machine.receive(frame(ticker(1), connection="other")).events
    lane.learn(event.product for event in moved)
    assert taken(lane, text(ticker(2)))[0] == 0


def test_trade_ids_that_count_nothing_may_jump():
    opening = Opening(connection="c", dialect=Dialect.EXCHANGE, continuity="none")
    assert not left_alone(ticker(1, trade_id=5), opening=opening)


def test_without_a_time_out_no_silence_is_a_hole():
    assert not left_alone(ticker(1, time=format_time(START + 9999 * S)), timeout_s=None)


def test_a_product_with_an_open_hole_is_left_to_the_machine():
    machine, continuity, lane = beside(ticker())
    continuity.close("c")
    machine.open(OPENING)
    lane.learn(["BTC-USD"])
    assert taken(lane, text(ticker(1)))[0] == 0


def test_a_product_known_from_a_heartbeat_alone_is_left_to_the_machine():
    _, _, lane = beside(heartbeat(0, 0))
    assert taken(lane, text(ticker(1)))[0] == 0
