"""Columns of a stranger's table: which is what, and values in any type that frames have."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from barograph.codec import NAT
from barograph.errors import BadInputError
from barograph.library.tick_columns import readable, roles_of, tick_table

NS = 10**9
START = datetime(2025, 6, 15, 12, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS
BARE = {"product": ["A-USD", "B-USD"], "bid": [1.0, 2.0], "ask": [1.5, 2.5]}
ROLES = {"product": "product", "time": "time", "bid": "bid", "ask": "ask"}


def table(zone="UTC", **columns):
    frame = pl.DataFrame(BARE | columns)
    return tick_table(frame, ROLES | {name: name for name in columns}, ZoneInfo(zone))


def test_a_table_has_a_row_of_numbers_for_each_of_the_frame():
    made = table(
        time=[START_NS, START_NS + NS],
        received=[START_NS + 5, None],
        trade_id=[7, None],
        sequence=[9, 10],
        side=["sell", None],
        last_size=[0.5, float("nan")],
    )
    rows = made.rows
    assert rows.time_ns.tolist() == [START_NS, START_NS + NS]
    assert rows.received_ns.tolist() == [START_NS + 5, int(NAT)]
    assert rows.trade_id.tolist() == [7, -1]
    assert rows.sequence.tolist() == [9, 10]
    assert rows.side.tolist() == [-1, 0]
    assert rows.price.tolist() == [1.25, 2.25]
    assert not made.odd.any()
    assert made.values(1)["last_size"] is None
    assert made.values(0)["bid"] == 1


def test_what_the_machine_may_read_and_an_array_does_not_hold_is_told():
    made = table(
        time=["2025-06-15T12:00:00Z", "2025-06-15T12:00:01Z"],
        last_size=["1e-3", "1"],
        received=[START_NS // NS, START_NS],
    )
    assert made.odd.tolist() == [True, True]
    assert made.useless_receipt.tolist() == [False, True]


def test_a_quote_made_of_a_middle_and_a_spread_is_one_as_well():
    frame = pl.DataFrame({"product": "A", "time": [1, 2], "mid": [100.25, None], "spread": 0.5})
    made = tick_table(frame, {name: name for name in frame.columns}, UTC)
    assert [made.rows.bid[0], made.rows.ask[0], made.rows.price[0]] == [100.0, 100.5, 100.25]
    assert np.isnan(made.rows.bid[1])
    assert [made.has_quote(row) for row in (0, 1)] == [True, False]


def test_only_columns_of_numbers_texts_and_times_are_readable():
    frame = pl.DataFrame(BARE | {"time": [1, 2], "odd": [[1], [2]], "bytes": [b"a", b"b"]})
    assert readable(frame).columns == ["product", "bid", "ask", "time"]


def test_arrays_are_views_of_the_frame_where_its_column_is_as_wanted():
    frame = pl.DataFrame(BARE | {"time": [START_NS, START_NS + 1]})
    rows = tick_table(frame, ROLES, UTC).rows
    assert np.shares_memory(rows.bid, frame["bid"].to_numpy())
    assert np.shares_memory(rows.time_ns, frame["time"].to_numpy())


def test_names_tell_what_columns_are_the_surest_first():
    names = ["symbol", "exchange_ts", "recv_ts", "bid_px", "best_bid", "ask_px", "Volume24h"]
    assert roles_of(names, None, "it") == {
        "product": "symbol",
        "time": "exchange_ts",
        "received": "recv_ts",
        "bid": "best_bid",
        "ask": "ask_px",
        "volume_24h": "Volume24h",
    }
    assert roles_of(names, {"bid_px": "bid"}, "it")["bid"] == "bid_px"
    assert roles_of(["pair", "time", "mid", "spread"], None, "it")["mid"] == "mid"


def test_a_table_without_a_quote_is_refused():
    with pytest.raises(BadInputError, match="columns are not those of ticks: time, close"):
        roles_of(["time", "close"], None, "it")
