"""A table that fits: columns go by rank, history grows, and nothing is cut."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from barograph.app.terminal.fitted_table import Column, FittedTable

COLUMNS = (
    Column("name"),
    Column("price", right=True, rank=1),
    Column("last", rank=2, least=8),
    Column("latency", right=True, rank=3),
)


def shown(width, *rows, margin=0):
    table = FittedTable(COLUMNS, margin=margin)
    for row in rows:
        table.add_row(*row)
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue().splitlines()


ROW = ("BTC-USD", "100,000.00", "0123456789abcdef", "12 ms")


def test_with_room_for_all_there_is_all_of_it():
    title, _, row = shown(60, ROW)
    assert title.split() == ["name", "price", "last", "16", "latency"]
    assert row.split() == " ".join(ROW).split()


@pytest.mark.parametrize(
    ("width", "cells"),
    [
        (40, ["BTC-USD", "100,000.00", "34567" + "89abcdef", "12", "ms"]),
        (34, ["BTC-USD", "100,000.00", "123456789abcdef"]),
        (27, ["BTC-USD", "100,000.00", "89abcdef"]),
        (26, ["BTC-USD", "100,000.00"]),
        (12, ["BTC-USD"]),
    ],
)
def test_history_shrinks_and_columns_go_the_least_important_first(width, cells):
    assert shown(width, ROW)[-1].split() == cells


def test_a_margin_stays_free_on_a_terminal_of_80_columns():
    long = (*ROW[:2], "x" * 200, ROW[3])
    assert max(map(len, shown(80, long, margin=4))) == 76
    assert max(map(len, shown(79, long, margin=4))) == 79


@given(st.text("abcXYZ0123456789-", min_size=1, max_size=60), st.integers(8, 90))
def test_what_stays_is_there_to_the_last_character(name, width):
    rows = shown(width, (name, *ROW[1:]))[2:]
    assert "".join(row[: max(width, 1)].split()[0] for row in rows if row.strip()).startswith(name)
