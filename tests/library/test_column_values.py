"""Columns of a stranger's table in any type that frames have, as arrays."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from barograph.codec import NAT
from barograph.library.column_values import (
    ids_of,
    json_value,
    names_of,
    numbers_of,
    sides_of,
    times_of,
)

NS = 10**9
START = datetime(2025, 6, 15, 12, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS
PARIS = ZoneInfo("Europe/Paris")


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
            assert times_of(cast, UTC)[0].tolist() == expected
    assert times_of(column, UTC)[0].tolist() == expected


def test_times_without_a_zone_are_those_of_the_zone():
    naive = pl.Series([datetime(2025, 6, 15, 14), datetime(2025, 6, 15, 15)])  # noqa: DTZ001
    assert times_of(naive, PARIS)[0].tolist() == [START_NS, START_NS + 3600 * NS]


def test_of_an_hour_that_comes_twice_the_second_follows_the_first():
    first = datetime(2025, 10, 26, 2, 59, 58)  # noqa: DTZ001
    again = datetime(2025, 10, 26, 2, 0, 1)  # noqa: DTZ001
    times_ns, useless = times_of(pl.Series([first, again]), PARIS)
    assert np.diff(times_ns).tolist() == [3 * NS]
    assert not useless.any()


def test_a_local_time_that_no_clock_showed_is_read_as_the_clock_before():
    times_ns, _ = times_of(pl.Series([datetime(2025, 3, 30, 2, 30)]), PARIS)  # noqa: DTZ001
    assert times_ns[0] == datetime(2025, 3, 30, 1, 30, tzinfo=UTC).timestamp() * NS


@pytest.mark.parametrize(
    "times",
    [
        [START_NS // NS, START_NS // NS, START_NS // 10**6],
        [START_NS, START_NS, 2**63 + 5],
        [START_NS / NS, START_NS / NS, 1e30],
        [START, START, datetime(1960, 1, 1, tzinfo=UTC)],
        [START, START, datetime(2500, 1, 1, tzinfo=UTC)],
        ["2025-06-15T12:00:00Z", "2025-06-15T12:00:00Z", "1750000000"],
    ],
    ids=str,
)
def test_a_time_in_another_unit_or_outside_of_time_is_of_no_use(times):
    kind = pl.UInt64 if times[-1] == 2**63 + 5 else None
    times_ns, useless = times_of(pl.Series(times, dtype=kind), UTC)
    assert times_ns.tolist() == [START_NS, START_NS, int(NAT)]
    assert useless.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("values", "numbers", "odd"),
    [
        ([1.5, None, float("nan")], [1.5, None, None], None),
        ([1, None], [1.0, None], None),
        (["1.5", "", None], [1.5, None, None], None),
        (["1.5", " 1.5", "1e3", "1,5"], [1.5, None, None, None], [False, True, True, True]),
        ([True, None], [None, None], [True, False]),
        ([None], [None], None),
    ],
)
def test_numbers_are_read_where_they_are_plain(values, numbers, odd):
    made, unread = numbers_of(pl.Series(values))
    assert [None if np.isnan(each) else each for each in made] == numbers
    assert (unread if unread is None else unread.tolist()) == odd


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ([7, 0, -1, 10**18, None], [7, 0, -1, -1, -1]),
        ([7.0, 7.5, 1e16, float("nan"), None], [7, -1, -1, -1, -1]),
        (
            ["7", " 7\u2003", "7.0", "7.5", "1e3", "", "9007199254740993.0"],
            [7, 7, 7, -1, -1, -1, -1],
        ),
        ([True, False], [-1, -1]),
    ],
)
def test_an_id_is_a_whole_number_that_is_told_apart(values, ids):
    assert ids_of(pl.Series(values)).tolist() == ids


def test_sides_are_those_two_words():
    assert sides_of(pl.Series(["buy", "sell", "BUY", None])).tolist() == [1, -1, 0, 0]
    assert sides_of(pl.Series([1, 2])).tolist() == [0, 0]


@pytest.mark.parametrize(
    "kind", [pl.String, pl.Categorical, pl.Enum(["sell", "?", "buy", "B-USD", "A-USD"])]
)
def test_categories_are_what_their_texts_are(kind):
    products = pl.Series(["A-USD", "B-USD", None, "A-USD"], dtype=kind)
    names, numbers = names_of(products)
    assert [None if number < 0 else names[number] for number in numbers] == products.to_list()
    assert sides_of(pl.Series(["sell", None, "buy", "?"], dtype=kind)).tolist() == [-1, 0, 1, 0]


def test_what_is_no_text_is_no_name():
    names, numbers = names_of(pl.Series([1, 2]))
    assert (names, numbers.tolist()) == ([], [-1, -1])


def test_a_float_is_its_shortest_digits():
    assert json_value(0.1) == Decimal("0.1")
    assert json_value(float("nan")) is None
    assert json_value("x") == "x"
