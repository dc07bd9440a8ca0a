"""`read_ticks`: ticks of recordings, tables and frames."""

from collections.abc import Collection, Mapping, Sequence
from datetime import tzinfo
from os import PathLike
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from barograph.archive.recorded_form import look
from barograph.archive.recording_files import recording_files
from barograph.errors import BadInputError
from barograph.library.foreign_frames import polars_of
from barograph.library.frame_events import TableReading
from barograph.library.tick_columns import roles_of, tick_table
from barograph.library.ticks import EVENT_COLUMNS, Ticks, read_recordings, ticks_of_events
from barograph.venues.books import UNIFIED
from barograph.venues.entries import Rules
from barograph.venues.forms.own import OwnForm

Clocks = Literal["venue", "recorder"]
"""Whose clock the `time` of ticks is."""


def read_ticks(  # noqa: PLR0913 - what is read, and how
    source: object,
    *,
    columns: Mapping[str, str] | None = None,
    products: Collection[str] | None = None,
    silence_timeout_s: float | None = 10.0,
    clock: Clocks = "venue",
    zone: str = "UTC",
) -> Ticks:
    """Ticks of recordings or of a frame, with a gap wherever some are missing.

    source: a path or several, each a recording in any form that `barograph replay` reads
    (docs/recordings.md), an archive, or a directory of either.
    columns: names in the source → what they are.
    products: only these; None for all.
    silence_timeout_s: no event of a product for longer, by event time, is a gap; None for none.
    clock: whose `time` is, where `columns` names it.
    zone: of times without one.
    Raises BadInputError for what is no source of ticks, and where none of it can be read.

    >>> quotes = pl.DataFrame(
    ...     {
    ...         "symbol": ["ABC"] * 4,
    ...         "ts": [1_750_000_000, 1_750_000_001, 1_750_000_002, 1_750_000_100],  # epoch seconds
    ...         "bid": [99.0, 99.1, 120.0, 99.2],
    ...         "ask": [100.0, 100.1, 100.2, 100.2],
    ...     }
    ... )
    >>> ticks = bg.read_ticks(quotes, columns={"symbol": "product", "ts": "time"})
    >>> ticks.frame["kind"].to_list()
    ['tick', 'tick', 'gap', 'tick']
    >>> ticks.refused
    {'crossed_quote': 1}
    """
    rules = _rules(products, silence_timeout_s)
    try:
        tz = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInputError(
            f"zone={zone!r}", "there is no such time zone", "One is Europe/Paris"
        ) from None
    made = _read(source, columns, rules, clock, tz)
    return made.ticks() if isinstance(made, TableReading) else made


def ticks_or_table(source: object, silence_timeout_s: float | None) -> Ticks | TableReading:
    """What `read_ticks` returns, or the table that it would read now. Raises BadInputError."""
    return _read(source, None, _rules(None, silence_timeout_s), "venue", ZoneInfo("UTC"))


def _read(
    source: object,
    columns: Mapping[str, str] | None,
    rules: Rules,
    clock: Clocks,
    zone: tzinfo,
) -> Ticks | TableReading:
    paths = _paths(source)
    if paths is not None:
        form = None if columns is None else _form(paths, columns, clock, zone)
        return read_recordings(paths, rules, zone, form)
    frame = polars_of(source)
    if set(frame.columns) >= EVENT_COLUMNS:
        return ticks_of_events(frame, rules)
    roles = roles_of(frame.columns, columns, "the frame")
    return TableReading(tick_table(frame, roles, zone), rules, clock)


def _rules(products: Collection[str] | None, silence_timeout_s: float | None) -> Rules:
    if silence_timeout_s is not None and not silence_timeout_s > 0:
        raise BadInputError(
            f"silence_timeout_s={silence_timeout_s}", "it is not above 0", "Use 10, or None"
        )
    return Rules(
        products=None if products is None else frozenset(products),
        silence_timeout_s=silence_timeout_s,
        books=UNIFIED,
    )


def _paths(source: object) -> list[Path] | None:
    """The paths that a source is, None where it is a frame."""
    if isinstance(source, (str, PathLike)):
        return [Path(source)]
    if isinstance(source, Sequence) and all(isinstance(each, (str, PathLike)) for each in source):
        if not source:
            raise BadInputError("read_ticks", "no path is given", "Give one or more")
        return [Path(each) for each in source]
    return None


def _form(
    paths: Sequence[Path], columns: Mapping[str, str], clock: Clocks, zone: tzinfo
) -> OwnForm:
    """A form of one's own by names of columns, the rest by the names in the first file."""
    first = recording_files(paths[:1], zone)[0]
    roles = roles_of(look(first, zone).fields, columns, str(first))
    return OwnForm(fields=roles, clock=clock)
