"""Reading ticks: recordings in any form, tables by the names of their columns, frames."""

import gzip

import polars as pl
import pytest

import barograph as bg
from barograph.archive.writer import ArchiveWriter
from barograph.errors import BadInputError
from barograph.types import Frame
from barograph.venues.entries import Dialect, Heard

QUOTES = pl.DataFrame(
    {
        "symbol": ["ABC-USD"] * 40,
        "ts": [1_750_000_000_000 + 500 * n for n in range(40)],
        "best_bid": [100.0 + n % 3 for n in range(40)],
        "best_ask": [100.5 + n % 3 for n in range(40)],
    }
)


@pytest.mark.slow
def test_a_recording_is_read_packed_or_not_and_several_in_the_order_of_time(holed, tmp_path):
    lines = holed.read_bytes().splitlines(keepends=True)
    later, earlier = tmp_path / "a.ndjson.gz", tmp_path / "b.ndjson"
    later.write_bytes(gzip.compress(b"".join(lines[3000:])))
    earlier.write_bytes(b"".join(lines[:3000]))
    parts = bg.read_ticks([later, earlier])
    # exact: the events of one machine
    assert parts.frame.filter(pl.col("kind") == "tick").equals(
        bg.read_ticks(str(holed)).frame.filter(pl.col("kind") == "tick")
    )


def test_an_archive_is_read_as_a_recording(holed, tmp_path):
    writer = ArchiveWriter(tmp_path / "archive")
    for line in holed.read_bytes().splitlines()[:500]:
        writer.write(Heard(Frame(data=line, connection="c"), Dialect.EXCHANGE))
    writer.close()
    assert len(bg.read_ticks(tmp_path / "archive")) == 500


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.ndjson"])
def test_a_table_is_read_by_the_names_of_its_columns(tmp_path, name):
    odd = QUOTES.rename({"symbol": "coin", "ts": "when"})
    path = tmp_path / name
    {"csv": odd.write_csv, "parquet": odd.write_parquet, "ndjson": odd.write_ndjson}[
        name.partition(".")[2]
    ](path)
    columns = {"coin": "product", "when": "time"}
    ticks = bg.read_ticks(path, columns=columns)
    assert len(ticks) == 40
    of_frame = bg.read_ticks(odd, columns=columns)
    # exact: the events of one machine
    assert of_frame.frame.equals(ticks.frame)


def test_columns_that_tell_what_they_are_need_not_be_named():
    ticks = bg.read_ticks(QUOTES)
    assert ticks.products == ("ABC-USD",)
    assert ticks.frame["event_time_ns"][1] == 1_750_000_000_500_000_000
    assert ticks.frame["price"][0] == 100.25


def test_products_and_the_time_out_are_asked_for(holed):
    ticks = bg.read_ticks(holed, products=["ETH-USD"], silence_timeout_s=None)
    assert ticks.products == ("ETH-USD",)
    assert ticks.silence_timeout_s is None
    assert "gap" in ticks.frame["kind"].to_list()  # the ids tell of the holes as well


@pytest.mark.parametrize(
    ("source", "options", "why"),
    [
        (QUOTES, {"columns": {"bid": "bid"}}, "there is no such column"),
        (QUOTES, {"columns": {"ts": "moment"}}, "moment is no role"),
        (QUOTES.drop("best_ask"), {}, "its columns are not those of ticks: symbol, ts, best_bid"),
        (QUOTES, {"columns": {"ts": "bid", "best_bid": "bid"}}, "two columns cannot both be bid"),
        (QUOTES, {"columns": ["bid"]}, "does not say what each column is"),
        (QUOTES, {"silence_timeout_s": 0}, "no number of seconds above 0"),
        (QUOTES, {"silence_timeout_s": float("inf")}, "no number of seconds above 0"),
        (QUOTES, {"silence_timeout_s": True}, "no number of seconds above 0"),
        (QUOTES, {"zone": "Atlantis/City"}, "there is no such time zone"),
        (QUOTES, {"zone": None}, "there is no such time zone"),
        (QUOTES, {"products": "ABC-USD"}, r"products=\['ABC-USD'\]"),
        (QUOTES, {"products": [1]}, "1 is no name"),
        (QUOTES, {"clock": "wall"}, "Use 'venue' or 'recorder'"),
        (QUOTES.head(0), {}, "it has no rows"),
        (QUOTES, {"products": ["B-USD"]}, "none of its rows is of a product that was asked for"),
        (QUOTES.with_columns(symbol=1), {}, "none of its rows could be read: 40 wrong_shape"),
        (QUOTES.with_columns(best_bid=float("nan")), {}, "the first: no bid and ask"),
        (QUOTES.with_columns(best_bid=pl.lit("100,5")), {}, "none of its rows could be read"),
        (QUOTES.with_columns(ts=pl.date(2025, 1, 1)), {}, "none of its rows could be read"),
        (
            QUOTES.with_columns(odd=pl.lit([1.0])),
            {"columns": {"odd": "bid"}},
            r"it is a column of List\(Float64\)",
        ),
        (17, {}, "it is no path and no frame"),
        ([], {}, "no path is given"),
        ("", {}, "no path is given"),
        ("nowhere.ndjson", {}, "nowhere.ndjson"),
    ],
)
def test_what_cannot_be_read_is_refused(source, options, why):
    with pytest.raises(BadInputError, match=why):
        bg.read_ticks(source, **options)


def test_a_file_of_which_no_line_can_be_read_is_refused(tmp_path):
    path = tmp_path / "prose.txt"
    path.write_text("It was a dark night.\n" * 5, encoding="utf-8")
    with pytest.raises(BadInputError, match="none of its lines could be read"):
        bg.read_ticks(path)
