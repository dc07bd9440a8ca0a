"""Columns of a stranger's table: which is what, and values in any type that frames have."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from barograph.codec import NAT
from barograph.errors import BadInputError
from barograph.library.tick_columns import roles_of, tick_table

NS = 10**9
START = datetime(2025, 6, 15, 12, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS
BARE = {"product": ["A-USD", "B-USD"], "bid": [1.0, 2.0], "ask": [1.5, 2.5]}
ROLES = {"product": "product", "time": "time", "bid": "bid", "ask": "ask"}


def table(zone="UTC", **columns):
    frame = pl.DataFrame(BARE | columns)
    return tick_table(frame, ROLES | {name: name for name in columns}, ZoneInfo(zone))


@pytest.mark.parametrize(
    "times",
    [
        [START, START + timedelta(milliseconds=1500)],
        ["2025-06-15T12:00:00Z", "2025-06-15T12:00:01.5Z"],
        ["2025-06-15 12:00:00", "2025-06-15 14:00:01.5+02:00"],
        [START_NS // NS, None],
        [START_NS // NS, float(START_NS // NS) + 1.5],
        [START_NS // 10**6, START_NS // 10**6 + 1500],
        [START_NS // 1000, START_NS // 1000 + 1_500_000],
        [START_NS, START_NS + 3 * NS // 2],
    ],
    ids=str,
)
def test_a_time_is_read_in_any_unit_and_type(times):
    expected = [START_NS, START_NS + 3 * NS // 2]
    if None in times:
        expected[1] = int(NAT)
    column = pl.Series(times, strict=False)
    if column.dtype == pl.Datetime:
        for unit in ("ms", "us", "ns"):
            cast = column.dt.cast_time_unit(unit)
            assert table(time=cast).rows.time_ns.tolist() == expected
    assert table(time=column).rows.time_ns.tolist() == expected


def test_times_without_a_zone_are_those_of_the_zone():
    naive = pl.Series([datetime(2025, 6, 15, 14), datetime(2025, 6, 15, 15)])  # noqa: DTZ001
    rows = table("Europe/Paris", time=naive).rows
    assert rows.time_ns.tolist() == [START_NS, START_NS + 3600 * NS]


def test_what_is_no_number_time_or_name_is_unknown():
    made = table(
        time=["2025-06-15T12:00:00Z", "yesterday"],
        trade_id=[7.0, float("nan")],
        last_size=["0.5", "much"],
        side=["sell", "SELL"],
    )
    assert made.rows.time_ns.tolist() == [START_NS, int(NAT)]
    assert made.rows.trade_id.tolist() == [7, -1]
    # exact: parsed from short digits
    np.testing.assert_array_equal(made.rows.last_size, [0.5, np.nan])
    assert made.rows.side.tolist() == [-1, 0]
    unnamed = tick_table(
        pl.DataFrame(BARE | {"time": [1, 2], "product": [None, "B-USD"]}), ROLES, UTC
    )
    assert unnamed.rows.name[0] == -1
    assert unnamed.names[unnamed.rows.name[1]] == "B-USD"


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["sell", "?", "buy", "B-USD", "A-USD"])])
def test_categories_are_what_their_texts_are(kind):
    texts = {"product": ["A-USD", "B-USD", None, "A-USD"], "side": ["sell", None, "buy", "?"]}
    columns = {"bid": [1.0] * 4, "ask": [2.0] * 4, "time": [START_NS] * 4}
    frame = pl.DataFrame(columns | texts, schema_overrides=dict.fromkeys(texts, kind))
    made = tick_table(frame, ROLES | {"side": "side"}, UTC)
    names = [None if number < 0 else made.names[number] for number in made.rows.name]
    assert names == texts["product"]
    assert made.rows.side.tolist() == [-1, 0, 1, 0]


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
