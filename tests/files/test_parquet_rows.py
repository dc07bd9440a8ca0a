import io
import json
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.files.packed import TornError
from barograph.files.parquet_reader import BATCH_ROWS
from barograph.files.parquet_rows import arrow_stream, rows_as_lines


def table(columns):
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


def rows(content):
    return [json.loads(line) for line in b"".join(rows_as_lines([content])).splitlines()]


def test_a_row_is_an_object_with_times_as_texts():
    content = table(
        {
            "text": ["a"],
            "number": [0.1],
            "count": [2**60],
            "none": pl.Series([None], dtype=pl.Float64),
            "nan": [float("nan")],
            "naive": pl.Series([1_770_000_000_000_000_001]).cast(pl.Datetime("ns")),
            "utc": [datetime(2026, 2, 2, 2, 40, tzinfo=UTC)],
            "price": pl.Series([Decimal("1.50")]),
            "day": [date(2026, 2, 2)],
            "bytes": [b"\xff"],
        }
    )
    # exact: the digits that the file has
    assert rows(content) == [
        {
            "text": "a",
            "number": 0.1,
            "count": 2**60,
            "none": None,
            "nan": None,
            "naive": "2026-02-02T02:40:00.000000001",
            "utc": "2026-02-02T02:40:00.000000000Z",
            "price": "1.50",
            "day": "2026-02-02",
        }
    ]


def test_rows_keep_their_order_over_batches():
    number = 2 * BATCH_ROWS + 5
    assert [row["n"] for row in rows(table({"n": list(range(number))}))] == list(range(number))


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + bytes(50) + b"PAR1", table({"b": [b"x"]})])
def test_what_cannot_be_read_is_torn(content):
    with pytest.raises(TornError, match="Parquet"):
        rows(content)


def test_a_table_that_ends_its_reader_is_torn():
    """A page of less than no values, for which Polars asks for 2⁶¹ bytes, and is ended."""
    sound = table({"bid": [1.5] * 9})
    damaged = sound.replace(b",\x15\x12", b",\x15\x71")
    assert damaged != sound
    for read in (rows, arrow_stream):
        with pytest.raises(TornError, match="memory allocation of"):
            read(damaged)


def test_a_table_comes_whole():
    columns = {"time": [datetime(2026, 2, 2, tzinfo=UTC)], "bid": [0.1]}
    frame = pl.read_ipc_stream(arrow_stream(table(columns)))
    # exact: the same values, moved
    assert frame.equals(pl.DataFrame(columns))


def test_the_reader_ends_with_whoever_reads():
    lines = rows_as_lines([table({"n": list(range(50 * BATCH_ROWS))})])
    assert next(lines).startswith(b'{"n":0}\n')
    lines.close()


@settings(max_examples=10)
@given(st.data())
def test_a_damaged_table_is_rows_or_torn(drawn):
    content = bytearray(table({"time": ["2026-02-02"] * 9, "bid": [1.5] * 9}))
    for _ in range(drawn.draw(st.integers(1, 3))):
        content[drawn.draw(st.integers(4, len(content) - 1))] ^= drawn.draw(st.integers(1, 255))
    with suppress(TornError):
        assert all(line.endswith(b"\n") for line in rows_as_lines([bytes(content)]))
