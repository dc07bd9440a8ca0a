"""A table that fits the terminal: columns go, the least important first, and no cell is cut."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_WIDE = 80


class Column(NamedTuple):
    """One column: its title, alignment and importance.

    rank: 0 for a column that always stays; where there is no room the highest rank goes first.
    least: for a column of history, which shows the last characters of its cells, at least so many
    and as many as there is room for; at least its title and a number. 0 for any other.
    """

    title: str
    right: bool = False
    rank: int = 0
    least: int = 0


class FittedTable:
    """Rows of text under columns, laid out for the width of the console that prints it.

    margin: columns of the terminal that stay free where it has 80 or more. A row that is too wide
    even without all columns that may go is folded, never cut.
    """

    def __init__(self, columns: Sequence[Column], *, margin: int = 0) -> None:
        self._columns, self._margin = columns, margin
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Append a row of one cell per column."""
        self._rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table of those columns that fit."""
        del console
        room = options.max_width - (self._margin if options.max_width >= _WIDE else 0)
        widths = self._fitting(room)
        table = Table(box=SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
        for place, width in widths.items():
            column = self._columns[place]
            title = f"{column.title} {width}" if column.least else column.title
            table.add_column(title, justify="right" if column.right else "left", overflow="fold")
        for row in self._rows:
            table.add_row(
                *(
                    row[place][-width:] if self._columns[place].least else row[place]
                    for place, width in widths.items()
                )
            )
        yield table

    def _fitting(self, room: int) -> dict[int, int]:
        """The width of each column that is shown, by its place."""
        widths = {
            place: column.least or max(map(cell_len, [column.title, *self._texts(place)]))
            for place, column in enumerate(self._columns)
        }
        for place in sorted(widths, key=lambda place: -self._columns[place].rank):
            if _total(widths) <= room or not self._columns[place].rank:
                break
            del widths[place]
        for place, width in widths.items():
            if self._columns[place].least:
                longest = max(map(cell_len, self._texts(place)), default=0)
                widths[place] = width + min(room - _total(widths), max(0, longest - width))
        return widths

    def _texts(self, place: int) -> list[str]:
        return [row[place].plain for row in self._rows]


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(widths) - 1
