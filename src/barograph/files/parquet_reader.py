"""A stranger's Parquet file to standard output, by a process of its own.

    python -m barograph.files.parquet_reader lines|table FILE

Where a file is damaged, Polars may ask for more memory than there is, which ends its process.
Writes the rows as lines of JSON, or the table as an Arrow stream. Exits with `UNREADABLE` and a
line on standard error for a file that cannot be read.
"""

import sys
from pathlib import Path
from typing import BinaryIO

import polars as pl

from barograph.files.json_columns import json_column

BATCH_ROWS = 8192
"""Rows that are turned into lines at a time."""

UNREADABLE = 3


def _write_lines(path: Path, lines: BinaryIO) -> None:
    table = pl.scan_parquet(path)
    schema = table.collect_schema()
    columns = [json_column(name, kind) for name, kind in schema.items()]
    kept = [column for column in columns if column is not None]
    if not kept:
        raise pl.exceptions.SchemaError("no column of numbers, texts or times")
    batches = table.select(kept).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
    for batch in batches:
        batch.write_ndjson(lines)
        lines.flush()


def _write_table(path: Path, stream: BinaryIO) -> None:
    pl.read_parquet(path).write_ipc_stream(stream)


WRITERS = {"lines": _write_lines, "table": _write_table}


def _main(form: str, path: str) -> int:
    try:
        WRITERS[form](Path(path), sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        return 0  # enough was read
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        sys.stderr.write("\n" + " ".join(str(error).split()))
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
