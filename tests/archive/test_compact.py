"""Compacted, an archive gives the events of its feed, each once, whatever was killed when."""

from datetime import UTC, datetime
from unittest.mock import patch

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import read_archive
from barograph.archive import compact as module
from barograph.archive import lake_health
from barograph.archive.compact import compact, compacted
from barograph.archive.lake import COLUMNS
from barograph.archive.writer import ArchiveWriter
from barograph.errors import BadInputError
from barograph.files.lines import file_sha256, packed
from barograph.types import Frame, Gap, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Dialect, Heard, Opening
from coinbase_messages import S, frame, heartbeat, ticker


def write(directory, *messages, opens=True):
    """A file of the archive, as a feed that ends leaves it."""
    writer = ArchiveWriter(directory)
    entries = [Opening(connection="c", dialect=Dialect.EXCHANGE)] if opens else []
    for entry in entries + [Heard(frame(each), Dialect.EXCHANGE) for each in messages]:
        writer.write(entry)
    writer.flush()
    writer.acknowledge()
    writer.close()


def events_of(archive):
    """The obvious way: every entry through one machine."""
    machine = Coinbase()
    return [event for entry in read_archive(archive) for event in machine.take(entry).events]


def rows_of(out):
    """All rows of all Parquet files, by product and hour."""
    return {
        path.relative_to(out).as_posix(): pl.read_parquet(path, hive_partitioning=False)
        for path in sorted(out.rglob("hour=*.parquet"))
    }


def time_ns(event):
    return event.end_ns if isinstance(event, Gap) else event.event_time_ns


def path_of(event):
    time = datetime.fromtimestamp(time_ns(event) // S, UTC)
    return f"product={event.product}/date={time:%Y-%m-%d}/hour={time:%H}.parquet"


def check(archive, out):
    """Every event stands once, in its file, in its order, with its words."""
    expected = {}
    for event in events_of(archive):
        expected.setdefault(path_of(event), []).append(event)
    tables = rows_of(out)
    assert tables.keys() == expected.keys()
    for path, events in expected.items():
        rows = tables[path].with_columns(pl.col(pl.Datetime).to_physical()).to_dicts()
        assert [row["kind"] for row in rows] == [type(each).__name__.lower() for each in events]
        assert [row["event_time"] for row in rows] == [time_ns(each) for each in events]
        assert [row["receive_time"] for row in rows] == [each.receive_time_ns for each in events]
        for row, event in zip(rows, events, strict=True):
            if isinstance(event, Tick):
                assert (row["price"], row["bid"], row["ask"]) == (event.price, event.bid, event.ask)
                assert (row["size"], row["trade_id"]) == (event.last_size, event.trade_id)
            if isinstance(event, Gap):
                assert (row["gap_start"], row["gap_cause"]) == (event.start_ns, event.cause)
                assert row["gap_missing"] == event.missing


@pytest.fixture
def archive(tmp_path):
    """Two products over an hour's end, with a gap within a file and one across two."""
    directory = tmp_path / "archive"
    eth = [ticker(n, product_id="ETH-USD") for n in (0, 1, 2)]
    write(directory, ticker(0), *eth, ticker(1), ticker(5), heartbeat(6, 5))
    late = [ticker(n, time=f"2025-11-12T08:0{n - 6}:00Z") for n in (7, 8)]
    write(directory, *late, b"garbage", opens=False)
    return directory


def test_each_event_stands_once_in_the_file_of_its_product_and_hour(archive, tmp_path):
    out = tmp_path / "parquet"
    done = compact(archive, out)
    assert (done.files, done.before, done.open) == (2, 0, [])
    assert sum(done.events.values()) == len(events_of(archive))
    assert done.events["gap"] >= 2
    assert done.dead_letters == {"not_json": 1}
    check(archive, out)
    (first, *_) = rows_of(out).values()
    assert dict(first.schema) == {
        name: pl.DataFrame(schema=COLUMNS)[name].dtype for name in COLUMNS
    }


def test_prices_are_the_venues_digits_and_times_are_typed(tmp_path):
    write(tmp_path / "archive", ticker(0, price="103472.2800", best_bid="0.10", best_ask="2.00"))
    compact(tmp_path / "archive", tmp_path / "out")
    (rows,) = rows_of(tmp_path / "out").values()
    assert rows["price"][0] == "103472.2800"
    assert rows["event_time"].dtype == pl.Datetime("ns", "UTC")
    assert rows["receive_time"].null_count() == 1


def test_a_second_run_does_nothing_and_a_later_one_goes_on(archive, tmp_path):
    out = tmp_path / "parquet"
    compact(archive, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    done = compact(archive, out)
    assert (done.files, done.before, done.written) == (0, 2, 0)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before
    write(archive, ticker(20, time="2025-11-12T07:30:00Z"), ticker(21), opens=False)
    assert compact(archive, out).files == 1
    check(archive, out)


class KilledError(Exception):
    """Nothing of the process runs after it."""


@pytest.mark.slow
@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(1, 12), max_size=4),
    kills=st.lists(st.integers(0, 6), max_size=4),
    rows=st.integers(1, 5),
)
def test_whoever_is_killed_when_each_event_stands_once(tmp_path_factory, cuts, kills, rows):
    """Killed before any step that changes what is there; compacted again after each kill."""
    place = tmp_path_factory.mktemp("home")
    messages = [ticker(n + 3 * (n > 6)) for n in range(12)]
    messages[5:5] = [ticker(n, product_id="ETH-USD") for n in range(3)]
    start = 0
    for end in sorted({*cuts, len(messages)}):
        write(place / "archive", *messages[start:end], opens=not start)
        start = end

    def dying(lives, step):
        def do(*arguments, **options):
            lives[0] -= 1
            if lives[0] < 0:
                raise KilledError
            return step(*arguments, **options)

        return do

    with patch.object(module, "_ROWS_AT_A_TIME", rows):
        for kill in kills:
            lives = [kill]
            with (
                patch.object(module, "put_in_place", dying(lives, module.put_in_place)),
                patch.object(module, "write_whole", dying(lives, module.write_whole)),
            ):
                try:
                    compact(place / "archive", place / "out")
                except KilledError:
                    continue
        compact(place / "archive", place / "out")
    check(place / "archive", place / "out")
    assert not list((place / "out").glob(".parts-*"))


def test_a_file_that_is_open_waits_for_the_next_run(archive, tmp_path):
    writer = ArchiveWriter(archive)
    writer.write(Heard(Frame(data=b"{}", connection="c"), Dialect.EXCHANGE))
    writer.flush()
    done = compact(archive, tmp_path / "out")
    assert (done.files, done.open) == (2, ["000003.ndjson.gz"])
    writer.acknowledge()
    writer.close()
    assert compact(archive, tmp_path / "out").files == 1


def test_originals_may_go_once_they_are_compacted_and_not_before(archive, tmp_path):
    out = tmp_path / "out"
    compact(archive, out)
    assert len(compacted(out)) == 2
    (archive / "000001.ndjson.gz").unlink()
    write(archive, ticker(30), opens=False)
    assert compact(archive, out).files == 1
    write(archive, ticker(31), opens=False)
    (archive / "000004.ndjson.gz").unlink()
    with pytest.raises(BadInputError, match="gone, and was not compacted"):
        compact(archive, out)


def test_another_archive_is_not_mixed_into_what_is_there(archive, tmp_path):
    compact(archive, tmp_path / "out")
    write(tmp_path / "other", ticker(0))
    with pytest.raises(BadInputError, match="another file of this name"):
        compact(tmp_path / "other", tmp_path / "out")


def test_what_a_venue_calls_a_product_leads_nowhere_else(tmp_path):
    write(tmp_path / "archive", ticker(0, product_id="../../x"))
    compact(tmp_path / "archive", tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("hour=*.parquet")
    assert path.parts[-3] == "product=..%2F..%2Fx"


def test_what_a_killed_run_left_behind_is_cleared_away(archive, tmp_path):
    rest = tmp_path / "out" / ".parts-killed"
    rest.mkdir(parents=True)
    (rest / "000000.parquet").write_bytes(b"rest")
    compact(archive, tmp_path / "out")
    assert not rest.exists()
    check(archive, tmp_path / "out")


def test_two_at_once_are_refused(archive, tmp_path):
    def meanwhile(_events):
        with pytest.raises(BadInputError, match="another compaction"):
            compact(archive, tmp_path / "out")

    with patch.object(module, "_ROWS_AT_A_TIME", 1):
        compact(archive, tmp_path / "out", progress=meanwhile)


def test_a_missing_archive_is_reported(tmp_path):
    with pytest.raises(BadInputError, match="there is no archive"):
        compact(tmp_path / "none", tmp_path / "out")


def cut(path):
    path.write_bytes(path.read_bytes()[:-60])


def rotten(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def longer(path):
    path.write_bytes(path.read_bytes() + packed(b"more\n"))


def other(path):
    path.write_bytes(packed(b"{}\n"))


@pytest.mark.parametrize("damage", [cut, rotten, longer, other])
def test_a_damaged_file_is_told_until_it_is_whole_and_all_is_made_anew(archive, tmp_path, damage):
    """It was final, and a lake lacked its events for ever."""
    out, path = tmp_path / "out", archive / "000001.ndjson.gz"
    whole = path.read_bytes()
    damage(path)
    for files in (2, 0):
        done = compact(archive, out)
        assert (done.files, [each.file for each in done.damaged]) == (files, [path.name])
        assert not done.anew
    manifest = msgspec.json.decode((archive / "000001.manifest.json").read_bytes())
    assert manifest["sha256"] not in compacted(out)  # so the original may not go
    path.write_bytes(whole)
    done = compact(archive, out)
    assert (done.files, done.damaged) == (2, [])
    assert "was damaged when it was compacted" in done.anew
    check(archive, out)


def test_a_lake_that_an_older_version_made_of_a_damaged_file_is_made_anew(archive, tmp_path):
    """It kept the hash of the manifest, whatever the file was."""
    out, path = tmp_path / "out", archive / "000001.ndjson.gz"
    whole = path.read_bytes()
    cut(path)
    compact(archive, out)
    path.write_bytes(whole)
    progress = msgspec.json.decode((out / "progress.json").read_bytes())
    progress["files"][path.name] = file_sha256(path)
    (out / "progress.json").write_bytes(msgspec.json.encode(progress))
    assert compact(archive, out).anew
    check(archive, out)


def test_a_file_that_is_gone_from_the_beginning_is_told_until_it_is_back(archive, tmp_path):
    path = archive / "000001.ndjson.gz"
    path.rename(tmp_path / "moved")
    for files in (1, 0):
        done = compact(archive, tmp_path / "out")
        assert (done.files, [each.file for each in done.damaged]) == (files, [path.name])
    (tmp_path / "moved").rename(path)
    done = compact(archive, tmp_path / "out")
    assert (done.files, done.damaged) == (2, [])
    assert "was not there when later files were compacted" in done.anew
    check(archive, tmp_path / "out")


def hour_gone(out):
    next(out.rglob("hour=*.parquet")).unlink()


def hour_cut(out):
    cut(next(out.rglob("hour=*.parquet")))


def index_gone(out):
    (out / "index.parquet").unlink()


def index_cut(out):
    cut(out / "index.parquet")


@pytest.mark.parametrize("damage", [hour_gone, hour_cut, index_gone, index_cut])
def test_a_lake_that_has_lost_something_is_made_anew(archive, tmp_path, damage):
    out = tmp_path / "out"
    compact(archive, out)
    damage(out)
    done = compact(archive, out)
    assert done.anew
    assert done.files == 2
    check(archive, out)
    assert not compact(archive, out).anew


def test_it_is_not_where_originals_are_gone(archive, tmp_path):
    out = tmp_path / "out"
    compact(archive, out)
    (archive / "000001.ndjson.gz").unlink()
    before = rows_of_names(out)
    hour_cut(out)
    with pytest.raises(BadInputError, match=r"000001.ndjson.gz is gone from the archive"):
        compact(archive, out)
    assert rows_of_names(out) == before


def rows_of_names(out):
    return {path.relative_to(out).as_posix() for path in out.rglob("hour=*.parquet")}


def test_an_hour_that_rotted_is_not_gone_on_with(archive, tmp_path):
    out = tmp_path / "out"
    compact(archive, out)
    rotten(next(out.rglob("product=BTC-USD/*/hour=08.parquet")))
    write(archive, ticker(20, time="2025-11-12T08:30:00Z"), ticker(21), opens=False)
    with pytest.raises(BadInputError, match="its bytes are not those that were written"):
        compact(archive, out)


def test_whoever_is_killed_between_hours_and_index_goes_on(archive, tmp_path):
    """What the index says of files that change is taken back first: they are no damage."""
    out = tmp_path / "out"
    compact(archive, out)
    write(archive, ticker(20, time="2025-11-12T08:30:00Z"), ticker(21), opens=False)
    with patch.object(module, "write_index", side_effect=KilledError), pytest.raises(KilledError):
        compact(archive, out)
    done = compact(archive, out)
    assert (done.files, done.before, done.anew) == (1, 2, "")
    check(archive, out)


def test_whoever_is_killed_as_it_is_made_anew_goes_on(archive, tmp_path):
    out = tmp_path / "out"
    compact(archive, out)
    stale = out / "product=X" / "date=2025-01-01" / "hour=00.parquet"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of what was there before")
    index_gone(out)
    killed = patch.object(lake_health.shutil, "rmtree", side_effect=KilledError)
    with killed, pytest.raises(KilledError):
        compact(archive, out)
    assert compact(archive, out).files == 2
    assert not stale.exists()
    check(archive, out)
