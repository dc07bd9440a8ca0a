"""Frames of other libraries, as Polars frames; and packages that only some frames need."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, cast

import polars as pl

from barograph.errors import BadInputError
from barograph.foreign import one_line

if TYPE_CHECKING:
    import pyarrow as pa
    from polars._typing import ArrowStreamExportable

_UNTAKEN = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    ValueError,
    TypeError,
    NotImplementedError,
    OverflowError,
)
"""What Polars, pandas and Arrow raise for a table that one of them cannot take from the other."""

_LONGEST = 200


def polars_of(frame: object) -> pl.DataFrame:
    """The frame as one of Polars, without a copy where both lay out a column alike.

    frame: of Polars (a lazy one is collected), or what has the Arrow C stream interface, as pandas,
    PyArrow, DuckDB and others have. Raises BadInputError for anything else, and for what Polars
    cannot hold.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    name = f"{type(frame).__module__}.{type(frame).__qualname__}"
    if not isinstance(frame, pl.LazyFrame) and not hasattr(frame, "__arrow_c_stream__"):
        raise BadInputError(
            name, "it is no path and no frame", "Give a path, or a frame of Polars, pandas or Arrow"
        )
    if name.startswith("pandas."):
        optional("pyarrow")
    try:
        return _polars(frame)
    except _UNTAKEN as error:
        why = one_line(str(error).split("\n\n")[0])[:_LONGEST]
        raise BadInputError(
            name, f"Polars cannot take it: {why}", "Rename, cast or drop that column"
        ) from None


def _polars(frame: object) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    arrow = sys.modules.get("pyarrow")
    if arrow is None:
        return pl.DataFrame(cast("ArrowStreamExportable", frame))
    table = arrow.RecordBatchReader.from_stream(frame).read_all()
    return pl.DataFrame(_with_polars_types(table))


def _with_polars_types(table: "pa.Table") -> "pa.Table":
    """The table with columns that Polars has no type for as those that say the same."""
    import pyarrow as pa  # noqa: PLC0415 - optional, and there where this is called
    import pyarrow.compute as pc  # noqa: PLC0415

    for place, field in enumerate(table.schema):
        column, kind = table.column(place), field.type
        if pa.types.is_run_end_encoded(kind):
            column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks])
            kind = column.type
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = column.cast(pa.timestamp(kind.unit, "UTC"))  # the same moments
        elif pa.types.is_decimal256(kind):
            column = column.cast(pa.string())
        if column.type != field.type:
            table = table.set_column(place, field.name, column)
    return table


def optional(*packages: str) -> None:
    """Raise BadInputError unless these packages are there; the installation has none of them."""
    for package in packages:
        try:
            import_module(package)
        except ModuleNotFoundError:
            raise BadInputError(
                package, "it is not installed", f"Install it (`pip install {package}`)"
            ) from None
