"""Columns of any kind as JSON has their values, whichever file or frame holds the table."""

import polars as pl

_AS_TEXT = (pl.Categorical, pl.Enum, pl.Date, pl.Time, pl.Float32, pl.Int128)


def json_column(name: str, kind: pl.DataType) -> pl.Expr | None:
    """The column with values that JSON has: numbers, texts, truths.

    Times have nine digits of the second, and a zone where the column has one. Decimals, short
    floats and long integers are their digits. None for a kind that has no such values: lists,
    bytes, durations.
    """
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is None:
            return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.9f")
        return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
    if isinstance(kind, _AS_TEXT) or kind.is_decimal():
        return column.cast(pl.String)
    if isinstance(kind, pl.Struct):
        return column.struct.json_encode()
    if kind == pl.Float16:
        return column.cast(pl.Float64)
    return column if kind.is_numeric() or kind in {pl.String, pl.Boolean, pl.Null} else None
