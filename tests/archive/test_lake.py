"""A lake's files give the numbers that the featurizer gets live, and say where they are damaged."""

from importlib.util import find_spec

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.archive import compact as compacting
from barograph.archive.compact import compact, compact_open
from barograph.archive.lake import (
    INDEX,
    NUMBERED,
    Hour,
    LakeProgress,
    read_events,
    read_index,
    read_progress,
)
from barograph.archive.writer import ArchiveWriter
from barograph.codec import EVENT
from barograph.errors import BadInputError, ObjectStoreError
from barograph.files.lines import file_sha256
from barograph.types import HOUR_NS, Gap, GapCause, Heartbeat, Side, Tick, Trade
from barograph.venues.entries import Dialect, Heard, Opening
from coinbase_messages import frame, heartbeat, ticker

START_NS = 1_750_000_000 * 10**9
digits = st.decimals("1e-9", "1e9", allow_nan=False, allow_infinity=False).map(lambda d: f"{d:f}")
times = st.integers(START_NS, START_NS + 3 * HOUR_NS)
received = st.none() | times
counts = st.none() | st.integers(0, 2**62)


@st.composite
def ticks(draw):
    bid, ask = sorted([draw(digits), draw(digits)], key=float)
    return Tick(
        product="BTC-USD", event_time_ns=draw(times), receive_time_ns=draw(received),
        price=draw(digits), bid=bid, ask=ask, connection="c", trade_id=draw(counts),
        bid_size=draw(st.none() | digits), ask_size=draw(st.none() | digits),
        volume_24h=draw(st.none() | digits), last_size=draw(st.none() | digits),
        side=draw(st.none() | st.sampled_from(Side)),
    )  # fmt: skip


@st.composite
def gaps(draw):
    start_ns, end_ns = sorted([draw(times), draw(times)])
    return Gap(
        product="BTC-USD", cause=draw(st.sampled_from(GapCause)), start_ns=start_ns,
        end_ns=end_ns, receive_time_ns=draw(received), connection="c", missing=draw(counts),
    )  # fmt: skip


events = st.lists(
    ticks()
    | gaps()
    | st.builds(
        Heartbeat, product=st.just("BTC-USD"), event_time_ns=times, receive_time_ns=received,
        connection=st.just("c"), last_trade_id=counts,
    )
    | st.builds(
        Trade, product=st.just("BTC-USD"), event_time_ns=times, receive_time_ns=received,
        price=digits, size=digits, trade_id=st.integers(0, 2**62), connection=st.just("c"),
        side=st.none() | st.sampled_from(Side), filled=st.booleans(),
    ),
    min_size=1,
    max_size=20,
)  # fmt: skip


@given(events)
def test_events_that_went_through_a_lake_are_those_of_the_log_to_the_bit(tmp_path_factory, drawn):
    lake = tmp_path_factory.mktemp("lake")
    with compacting._Parts(lake, 1) as parts:
        for number, event in enumerate(drawn):
            parts.add(event, number)
        parts.put()
    paths = [str(lake / path) for path in read_index(lake)["path"]]
    made = read_events(paths, 0, len(drawn))
    expected = codec.event_array(codec.numbers_of(drawn, pytest.fail), lambda _product: 0)
    for name in EVENT.names:
        # exact: the same decimals are the same numbers
        np.testing.assert_array_equal(made[name], expected[name], err_msg=name)


def write(directory, *messages, ends=True):
    writer = ArchiveWriter(directory)
    writer.write(Opening(connection="c", dialect=Dialect.EXCHANGE))
    for message in messages:
        writer.write(Heard(frame(message), Dialect.EXCHANGE))
    writer.flush()
    if ends:
        writer.acknowledge()
        writer.close()
    return writer


@pytest.fixture
def lake(tmp_path):
    eth = [ticker(n, product_id="ETH-USD") for n in range(3)]
    write(tmp_path / "archive", *eth, *[ticker(n) for n in range(6)], heartbeat(7, 5))
    write(tmp_path / "archive", ticker(9, time="2025-11-12T08:00:01Z"), b"garbage")
    compact(tmp_path / "archive", tmp_path / "lake")
    return tmp_path / "lake"


def test_progress_tells_products_in_the_order_of_their_first_event(lake):
    known = read_progress(lake)
    assert known.form == NUMBERED
    assert list(known.events) == ["ETH-USD", "BTC-USD"]
    assert known.events["ETH-USD"] == read_index(lake).filter(product="ETH-USD")["last"].max() + 1
    assert known.dead_letters == {"not_json": 1}


def test_the_index_tells_which_numbers_each_file_has(lake):
    index = read_index(lake)
    for product, hour, path, first, last, length, sha256 in index.iter_rows():
        assert length == (lake / path).stat().st_size
        assert sha256 == file_sha256(lake / path)
        assert path == Hour(product, hour).path
        numbers = pl.read_parquet(lake / path, hive_partitioning=False)["number"]
        assert (numbers.min(), numbers.max()) == (first, last)
    files = {path.relative_to(lake).as_posix() for path in lake.rglob("hour=*.parquet")}
    assert set(index["path"]) == files


def test_a_file_that_is_open_is_compacted_beside_and_goes_on_in_number(lake, tmp_path):
    writer = write(tmp_path / "archive", ticker(20, time="2025-11-12T08:00:02Z"), ends=False)
    before = read_progress(lake)
    known = compact_open(tmp_path / "archive", lake, tmp_path / "beside")
    writer.close()
    assert read_progress(lake).files == before.files
    assert read_index(tmp_path / "beside")["first"].min() == before.events["BTC-USD"]
    assert known.events["BTC-USD"] > before.events["BTC-USD"]


def test_what_was_there_before_numbers_goes_on_without(tmp_path):
    write(tmp_path / "archive", ticker(0), ticker(1))
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "progress.json").write_text('{"files": {"000000.ndjson.gz": "of an older version"}}')
    compact(tmp_path / "archive", lake)
    (path,) = lake.rglob("hour=*.parquet")
    assert pl.read_parquet(path, hive_partitioning=False)["number"].null_count() >= 2
    assert len(read_index(lake)) == 0
    assert read_progress(lake).form < NUMBERED


def test_a_file_without_the_newer_column_is_gone_on_with(lake, tmp_path):
    """As an older version left it: the hour's rows stay, and have no number."""
    (path,) = [each for each in lake.rglob("hour=08.parquet") if "BTC" in str(each)]
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.drop("number").write_parquet(path)
    read_index(lake).drop("bytes", "sha256").write_parquet(lake / INDEX)
    write(tmp_path / "archive", ticker(30, time="2025-11-12T08:10:00Z"))
    compact(tmp_path / "archive", lake)
    made = pl.read_parquet(path, hive_partitioning=False)
    assert made["number"].null_count() == len(rows)
    assert len(made) > len(rows)


def test_a_number_that_is_missing_or_there_twice_is_damage(lake):
    index = read_index(lake).filter(product="BTC-USD")
    count = index["last"].max() + 1
    paths = [str(lake / path) for path in index["path"]]
    assert len(read_events(paths, 1, count)) == count - 1
    with pytest.raises(BadInputError, match="is there 0 times"):
        read_events(paths[:1], 0, count)
    with pytest.raises(BadInputError, match="is there 2 times"):
        read_events([*paths, paths[0]], 0, count)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "other"),
        ("kind", None),
        ("kind", 1),
        ("price", "x"),
        ("bid", 1.5),
        ("event_time", 7),
        ("trade_id", "x"),
        ("side", True),
        ("number", None),
        ("number", "x"),
    ],
)
def test_what_no_compaction_writes_is_damage(lake, name, value):
    (path,) = [each for each in lake.rglob("hour=08.parquet") if "BTC" in str(each)]
    rows = pl.read_parquet(path, hive_partitioning=False)
    count = int(rows["number"].max()) + 1
    dtype = rows.schema[name] if value is None else None
    rows.with_columns(pl.lit(value, dtype).alias(name)).write_parquet(path)
    with pytest.raises(
        BadInputError,
        match=r"Restore it from a copy, or (remove it and compact again|compact the archive)",
    ):
        read_events([str(path)], 0, count)
    rows.drop(name).write_parquet(path)
    with pytest.raises(
        BadInputError,
        match=r"Restore it from a copy, or (remove it and compact again|compact the archive)",
    ):
        read_events([str(path)], 0, count)


@pytest.mark.skipif(find_spec("fsspec") is None, reason="the extra lake is not installed")
def test_files_of_an_object_store_are_read_by_their_addresses(lake):
    folder, paths, count = lake, sorted(lake.rglob("hour=*.parquet")), 0
    assert paths
    for path in paths:
        product = read_index(folder).filter(pl.col("path") == path.relative_to(folder).as_posix())
        first, last = product["first"][0], product["last"][0]
        expected = read_events([str(path)], first, last + 1)
        assert (read_events([f"file://{path}"], first, last + 1) == expected).all()
        count += len(expected)
    assert count
    with pytest.raises(ObjectStoreError, match="it is not there"):
        read_events([f"file://{folder}/product=X/date=2025-01-01/hour=00.parquet"], 0, 1)


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more PAR1"])
def test_a_file_that_cannot_be_read_is_named(lake, damage):
    index = read_index(lake).filter(product="BTC-USD")
    paths = [str(lake / path) for path in index["path"]]
    (lake / index["path"][-1]).write_bytes(damage)
    with pytest.raises(BadInputError, match="it cannot be read") as raised:
        read_events(paths, 0, index["last"].max() + 1)
    assert raised.value.what == paths[-1]


def test_an_index_and_progress_that_are_none_say_so(lake):
    (lake / INDEX).write_bytes(b"none")
    with pytest.raises(BadInputError, match="it cannot be read"):
        read_index(lake)
    (lake / "progress.json").write_bytes(b"none")
    with pytest.raises(BadInputError, match="compact the archive to another folder"):
        read_progress(lake)


def test_where_nothing_is_there_is_an_empty_lake(tmp_path):
    assert read_progress(tmp_path) == LakeProgress(form=NUMBERED)
    assert len(read_index(tmp_path)) == 0


def test_other_readers_take_it_as_it_lies(lake):
    """As docs/history.md shows it: the folders' names are columns beside those of the files."""
    table = pl.scan_parquet(f"{lake}/**/hour=*.parquet", hive_partitioning=True)
    rows = table.filter(pl.col("product") == "BTC-USD", pl.col("kind") == "tick").collect()
    assert len(rows) == 7
    assert rows["date"].dtype == pl.Date
    assert rows.sort("number")["event_time"].is_sorted()


def test_a_file_whose_bytes_are_others_is_damage_whatever_they_say(lake):
    """A price's digit may change and leave a file that can be read."""
    first = read_index(lake).row(0, named=True)
    path = lake / first["path"]
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.with_columns(bid=pl.lit("1.00")).write_parquet(path)
    assert len(read_events([str(path)], first["first"], first["last"] + 1))
    with pytest.raises(BadInputError, match="its bytes are not those that were written"):
        read_events([str(path)], first["first"], first["last"] + 1, [first["sha256"]])
