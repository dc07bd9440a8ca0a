"""Where an exchange's market comes from: each event once, in order, and nothing of our own."""

import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import BadInputError
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import Source, recorded, simulated
from barograph.simulated.tape import Beat, Print, exchange_frame
from barograph.types import Tick
from barograph.venues.entries import Dialect
from coinbase_messages import START, envelope, ticker
from market_events import PRODUCTS, START_NS, S, heard, minute


def market(seed=1):
    return SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_NS)


@pytest.fixture
def recording(tmp_path):
    def make(*messages):
        path = tmp_path / "recording.ndjson"
        path.write_bytes(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        return path

    return make


def prints(source, until_ns=2**62):
    return [event for event in source.until(until_ns) if isinstance(event, Print)]


@given(cuts=st.lists(st.integers(0, 70 * S), max_size=6))
def test_each_event_is_dealt_out_once_when_its_time_has_come(cuts):
    source = Source(PRODUCTS, START_NS, iter(minute()))
    dealt = []
    for until_ns in [*sorted(cuts), 70 * S]:
        part = source.until(START_NS + until_ns)
        assert all(event.time_ns <= START_NS + until_ns for event in part)
        dealt += part
    assert dealt == minute()
    assert source.ended


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), step_ns=st.integers(S // 10, 7 * S))
def test_a_made_up_market_is_that_of_its_frames(seed, step_ns):
    source, stop_ns = simulated(market(seed)), START_NS + 10 * S
    dealt, until_ns = [], START_NS
    while until_ns < stop_ns:
        until_ns = min(until_ns + step_ns, stop_ns)
        dealt += source.until(until_ns)
    frames = [frame.data for frame in market(seed).advance(10)]
    assert [exchange_frame(event) for event in dealt] == frames
    assert (source.products, source.start_ns, source.ended) == (PRODUCTS, START_NS, False)


def test_a_recording_is_replayed_with_its_own_times_ids_and_decimals(recording):
    source = recorded(recording(ticker(0), ticker(1), ticker(3)))
    trades = prints(source)
    base = ticker()
    assert [print_.trade_id - base["trade_id"] for print_ in trades] == [0, 1, 3]
    assert [print_.time_ns - START for print_ in trades] == [0, S, 3 * S]
    assert trades[0].price == base["price"]
    assert (trades[0].size, trades[0].bid_size) == (base["last_size"], base["best_bid_size"])
    assert (source.products, source.start_ns) == (("BTC-USD",), START // S * S)
    assert source.ended


def test_ticks_without_ids_are_counted_from_one_for_each_product(recording):
    products = ["BTC-USD", "ETH-USD"]
    trades = prints(recorded(recording(*[envelope(n, products) for n in range(3)])))
    assert [(print_.product, print_.trade_id) for print_ in trades] == [
        (product, n) for n in (1, 2, 3) for product in products
    ]
    assert {print_.size for print_ in trades} == {None}


def test_a_quote_that_moved_without_a_trade_has_no_size(recording):
    moved = ticker(1, trade_id=ticker()["trade_id"], best_bid="103470.00")
    trades = prints(recorded(recording(ticker(0), moved)))
    assert [print_.size is None for print_ in trades] == [False, True]


def test_a_recording_beats_each_second_but_not_where_nobody_recorded(recording):
    source = recorded(recording(ticker(0), ticker(3), ticker(30), ticker(31)))
    events = source.until(2**62)
    beats = [(event.time_ns - START) // S for event in events if isinstance(event, Beat)]
    assert beats == [0, 1, 2, 30]
    for before, after in pairwise(events):
        assert before.time_ns <= after.time_ns
        if isinstance(after, Beat) and isinstance(before, Print):
            assert after.last_trade_id == before.trade_id


def test_what_cannot_be_read_is_left_out(recording):
    path = recording(ticker(0), {"type": "nonsense"}, ticker(1, price="-1"), ticker(2))
    assert len(prints(recorded(path))) == 2


def test_a_recording_without_a_tick_is_one_line(recording):
    with pytest.raises(BadInputError, match="it has no tick"):
        recorded(recording({"type": "subscriptions", "channels": []}))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "coinbase_btc_20251112_14_exchangefeed.ndjson.gz",
        "as_recorded/advanced_trade_envelope.ndjson.gz",
        "as_recorded/flat_two_products_with_sequence_num.ndjson.gz",
    ],
)
def test_a_real_recording_says_the_same_through_the_exchange(data, name):
    path = data / "recordings" / name
    source = recorded(path)
    trades = prints(source)
    events, letters = heard(Dialect.EXCHANGE, [exchange_frame(print_) for print_ in trades])
    ticks = [event for event in events if isinstance(event, Tick)]
    assert len(ticks) + len(letters) == len(trades)
    assert len(letters) < len(trades) / 100  # ticks that repeat an older id are refused again
    with gzip.open(path) as lines:
        assert len(trades) > 0.9 * sum(1 for _ in lines)
