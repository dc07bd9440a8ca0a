"""The rows of a Parquet file as lines of JSON, a batch of them at a time."""

import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from barograph.files.disk import declared
from barograph.files.json_columns import json_column
from barograph.files.packed import TornError

BATCH_ROWS = 8192
"""Rows that are turned into lines at a time."""


def rows_as_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows in chunks of whole lines.

    The stream is copied to a temporary file first, because a Parquet file is read from its end: so
    a pipe can be one, and a file that is changed meanwhile cannot harm. Times have nine digits of
    the second, and a zone where the column has one. Raises TornError for what cannot be read, and
    DiskFullError.
    """
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        with declared(Path(copy.name).parent):
            for chunk in chunks:
                copy.write(chunk)
            copy.flush()
        try:
            table = pl.scan_parquet(copy.name)
            table = table.select(_columns(table.collect_schema()))
            for batch in table.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
                lines = io.BytesIO()
                batch.write_ndjson(lines)
                yield lines.getvalue()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            why = " ".join(str(error).split())[:200]
            raise TornError(f"the Parquet file is damaged or cannot be read: {why}") from None


def _columns(schema: pl.Schema) -> list[pl.Expr]:
    columns = [json_column(name, kind) for name, kind in schema.items()]
    kept = [column for column in columns if column is not None]
    if not kept:
        raise pl.exceptions.SchemaError("no column of numbers, texts or times")
    return kept
