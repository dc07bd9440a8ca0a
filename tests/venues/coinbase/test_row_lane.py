"""The lane for rows takes what is plain; `tests/library/test_frame_events.py` has the law."""

import numpy as np
import pytest

from barograph.codec import EVENT, NAT, TICK
from barograph.types import NS_PER_S
from barograph.venues.coinbase.exchange import ExchangeFeed
from barograph.venues.coinbase.row_lane import RowLane, Rows
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Dialect, Opening, Rules
from barograph.venues.holes import Holes
from coinbase_messages import START, frame, ticker

OPENING = Opening(connection="c", dialect=Dialect.EXCHANGE, recorded=True)
FIRST = ticker()


def rows(n, **changes):
    """The first ticker and what follows it, half a second and a trade apart."""
    columns = {
        "name": np.zeros(n, np.int32),
        "time_ns": START + np.arange(n) * NS_PER_S // 2,
        "received_ns": np.full(n, NAT),
        "trade_id": FIRST["trade_id"] + np.arange(n),
        "sequence": np.full(n, -1),
        "side": np.ones(n, np.int32),
        "price": np.full(n, 100.0),
        "bid": np.full(n, 99.5),
        "ask": np.full(n, 100.5),
        "bid_size": np.full(n, np.nan),
        "ask_size": np.full(n, 2.0),
        "volume_24h": np.full(n, np.nan),
        "last_size": np.full(n, 0.25),
    }
    for name, (place, value) in changes.items():
        columns[name][place] = value
    return Rows(**columns)


def beside(table, opening=OPENING):
    """The lane beside a machine that has heard the first row."""
    continuity = Continuity(Rules())
    machine = ExchangeFeed(holes=Holes(continuity))
    machine.open(opening)
    machine.receive(frame(FIRST))
    lane = RowLane(table, 1, opening, continuity)
    lane.learn(0, FIRST["product_id"], 3)
    return lane, continuity


def test_plain_rows_become_events_and_what_is_unknown_stays_unknown():
    table = rows(5, received_ns=(2, START + 7))
    events = np.zeros(8, EVENT)
    assert beside(table)[0].take(1, events, 0) == (5, 4)
    assert (events["kind"][:4] == TICK).all()
    assert events["product"][:4].tolist() == [3] * 4
    assert events["receive_time_ns"][:4].tolist() == [NAT, START + 7, NAT, NAT]
    assert np.isnan(events["bid_size"][:4]).all()
    assert events["side"][0] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"time_ns": (3, START + 60 * NS_PER_S)}, {"time_ns": (3, START - NS_PER_S)},
        {"time_ns": (3, NAT)}, {"trade_id": (3, FIRST["trade_id"] + 2)},
        {"trade_id": (3, FIRST["trade_id"] + 9)}, {"bid": (3, 101.0)}, {"bid": (3, 0.0)},
        {"price": (3, np.nan)}, {"ask": (3, np.inf)}, {"last_size": (3, -1.0)},
        {"volume_24h": (3, 1e19)}, {"name": (3, -1)},
    ],
)  # fmt: skip
def test_it_stops_before_a_row_that_is_not_plain(change):
    events = np.zeros(8, EVENT)
    assert beside(rows(5, **change))[0].take(1, events, 0) == (3, 2)


def test_the_machine_goes_on_from_the_row_that_the_lane_took_last():
    lane, continuity = beside(rows(5, trade_id=(4, FIRST["trade_id"] + 40)))
    assert lane.last_row("BTC-USD") is None
    lane.take(1, np.zeros(8, EVENT), 0)
    assert lane.last_row("BTC-USD") == 3
    assert lane.last_row("ETH-USD") is None
    lane.give_back("BTC-USD", frame(ticker(3)).data)
    line = continuity.lines["BTC-USD"]
    assert (line.trade_id, line.last_ns) == (FIRST["trade_id"] + 3, START + 3 * NS_PER_S // 2)
    assert lane.last_row("BTC-USD") is None
