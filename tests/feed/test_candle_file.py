"""Files of candles in the forms in which others publish them are read to the digit."""

import bz2
import gzip
import io

import polars as pl
import pytest

from barograph.errors import BadInputError
from barograph.feed.candle_file import read_candles
from candle_tables import HOUR_S, START_S, csv_of, rows

NOW_S = START_S + 1000 * HOUR_S
N = 30


@pytest.fixture
def read(tmp_path):
    def reading(content, now_s=NOW_S, name="candles"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_candles(path, "BTC-USD", now_s)

    return reading


def prices(made):
    return [(row.start_s, row.open, row.close, row.volume) for row in made]


def read_prices(table):
    return table.frame.select("start_s", "open", "close", "volume").rows()


def with_times(time_of, header="time,open,high,low,close,volume"):
    first, *lines = csv_of(rows(N), header).splitlines()
    made = [f"{time_of(int(line.split(',')[0]))},{line.split(',', 1)[1]}" for line in lines]
    return "\n".join([first, *made, ""])


def iso(form):
    return lambda start_s: pl.from_epoch(pl.Series([start_s])).dt.strftime(form)[0]


@pytest.mark.parametrize(
    ("time_of", "words"),
    [
        (lambda s: s, "Unix seconds"),
        (lambda s: f"{s}.0", "Unix seconds"),
        (lambda s: s * 1000, "Unix milliseconds"),
        (lambda s: s * 10**6, "Unix microseconds"),
        (lambda s: s * 10**9, "Unix nanoseconds"),
        (iso("%Y-%m-%dT%H:%M:%SZ"), "with a zone"),
        (iso("%Y-%m-%d %H:%M:%S+00:00"), "with a zone"),
        (iso("%Y-%m-%dT%H:%M:%S.000Z"), "with a zone"),
        (iso("%Y-%m-%d %H:%M:%S"), "read as UTC"),
        (iso("%Y-%m-%d %I-%p"), "read as UTC"),
    ],
)
def test_times_are_read_in_every_form(read, time_of, words):
    table = read(with_times(time_of))
    assert read_prices(table) == prices(rows(N))
    assert words in table.form
    assert (table.step_s, table.unfinished) == (HOUR_S, 0)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, bytes])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_packing_and_delimiter_are_seen(read, pack, delimiter):
    content = csv_of(rows(N)).replace(",", delimiter).encode()
    assert read_prices(read(pack(content))) == prices(rows(N))


def test_parquet_is_read_and_its_times(read):
    frame = pl.read_csv(csv_of(rows(N)).encode())
    for times in (pl.col("time"), pl.from_epoch("time"), pl.from_epoch("time").cast(pl.String)):
        content = io.BytesIO()
        frame.with_columns(times.alias("time")).write_parquet(content)
        table = read(content.getvalue())
        assert [row[0] for row in read_prices(table)] == [row.start_s for row in rows(N)]
        assert table.frame["close"].cast(float).to_list() == [float(r.close) for r in rows(N)]
        assert table.form.startswith("Parquet: ")


def test_the_newest_first_is_turned_round_and_said(read):
    first, *lines = csv_of(rows(N)).splitlines()
    table = read("\n".join([first, *lines[::-1]]))
    assert read_prices(table) == prices(rows(N))
    assert table.form.endswith("newest first")
    assert table.frame["line"].to_list() == list(range(N + 1, 1, -1))


def test_a_line_before_the_header_is_passed_over(read):
    table = read("https://www.example.org\n" + csv_of(rows(N)))
    assert (read_prices(table), table.frame["line"][0]) == (prices(rows(N)), 3)


def test_a_file_without_a_header_is_known_by_its_columns(read):
    lines = csv_of(rows(N)).splitlines()[1:]
    klines = [line.replace(",", "000,", 1) + ",0,1.5,9,0,0,0" for line in lines]
    table = read("\n".join(klines))
    assert read_prices(table) == prices(rows(N))
    assert table.frame["quote_volume"].to_list() == ["1.5"] * N
    assert "no header" in table.form
    assert "milliseconds" in table.form


def test_a_broken_download_is_read_for_the_gate_to_judge(read):
    header = "TIME_UNIX,OPEN_PRICE,HIGH_PRICE,LOW_PRICE,CLOSE_PRICE,VOLUME_FROM"
    table = read(header + "\n" + ",,,,,635.15\n" * 24)
    assert table.frame["start_s"].null_count() == 24
    assert table.frame["volume"].to_list() == ["635.15"] * 24
    assert "no time at all" in table.form


def test_the_last_candle_is_left_out_until_it_has_ended(read):
    content = csv_of(rows(N))
    end_s = START_S + N * HOUR_S
    assert (read(content, end_s - 1).unfinished, len(read(content, end_s - 1).frame)) == (1, N - 1)
    assert read(content, end_s).unfinished == 0


def test_minutes_are_known_by_their_distance(read):
    assert read(csv_of(rows(N, step_s=60))).step_s == 60


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "empty"),
        ("a,b,c\n1,2,3\n", "no header"),
        ("time,open,high,low,close\n1,2,3,4,5\n", "no column volume; it has time, open"),
        (csv_of(rows(3, step_s=86_400)), "86,400 s long"),
        (b"PAR1 and nothing more", "no table"),
        (gzip.compress(csv_of(rows(N)).encode())[:-20], "gzip"),
        (b"\x00\xff\xfe", "no header"),
    ],
)
def test_what_is_no_table_of_candles_is_refused_in_one_line(read, content, why):
    with pytest.raises(BadInputError, match=why) as refused:
        read(content)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere"):
        read_candles(tmp_path / "nowhere.csv", "BTC-USD", NOW_S)
