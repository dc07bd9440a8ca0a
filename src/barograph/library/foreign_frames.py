"""Frames of other libraries, as Polars frames; and packages that only some frames need."""

from importlib import import_module

import polars as pl

from barograph.errors import BadInputError


def polars_of(frame: object) -> pl.DataFrame:
    """The frame as one of Polars, without a copy where both lay out a column alike.

    frame: of Polars (a lazy one is collected), or what has the Arrow C stream interface, as pandas,
    PyArrow, DuckDB and others have. Raises BadInputError for anything else.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if not hasattr(frame, "__arrow_c_stream__"):
        kind = f"{type(frame).__module__}.{type(frame).__qualname__}"
        raise BadInputError(
            kind,
            "it is no path and no frame",
            "Give a path, or a frame of Polars, pandas or Arrow",
        )
    if type(frame).__module__.partition(".")[0] == "pandas":
        optional("pyarrow")
    return pl.DataFrame(frame)


def optional(*packages: str) -> None:
    """Raise BadInputError unless these packages are there; the installation has none of them."""
    for package in packages:
        try:
            import_module(package)
        except ModuleNotFoundError:
            raise BadInputError(
                package, "it is not installed", f"Install it (`pip install {package}`)"
            ) from None
