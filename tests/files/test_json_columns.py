"""What of a table is a number, a text, a truth, and what is none of them."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from barograph.files.json_columns import json_column

NOON = datetime(2025, 6, 15, 12, 0, 0, 250)  # noqa: DTZ001 - a time without a zone


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pl.Series([1.5]), 1.5),
        (pl.Series([0.1], dtype=pl.Float32), "0.1"),
        (pl.Series([7], dtype=pl.UInt64), 7),
        (pl.Series([7], dtype=pl.Int128), "7"),
        (pl.Series([Decimal("1.50")]), "1.50"),
        (pl.Series(["a"], dtype=pl.Categorical), "a"),
        (pl.Series(["a"], dtype=pl.Enum(["a"])), "a"),
        (pl.Series([True]), True),
        (pl.Series([None]), None),
        (pl.Series([date(2025, 6, 15)]), "2025-06-15"),
        (pl.Series([NOON]), "2025-06-15T12:00:00.000250000"),
        (
            pl.Series([NOON]).dt.replace_time_zone("Europe/Paris"),
            "2025-06-15T10:00:00.000250000Z",
        ),
        (pl.Series([{"a": 1}]), '{"a":1}'),
    ],
)
def test_a_column_has_the_values_that_json_has(column, value):
    frame = pl.DataFrame({"a": column})
    expr = json_column("a", frame.schema["a"])
    assert frame.select(expr)["a"].to_list() == [value]


@pytest.mark.parametrize("value", [[1.0], b"x", timedelta(1), object()])
def test_lists_bytes_and_durations_are_none_of_them(value):
    assert json_column("a", pl.DataFrame({"a": [value]}).schema["a"]) is None
