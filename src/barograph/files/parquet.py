"""Parquet files, whose writing fails as a disk fails."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from barograph.errors import BadInputError
from barograph.files.disk import declared

_ROWS_OF_A_GROUP = 50_000
_PROBE_BYTES = 1 << 16
"""More than the footer of a table takes."""


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as a Parquet file. Raises DiskFullError, BadInputError."""
    with _declared(path, int(frame.estimated_size())):
        frame.write_parquet(path)


def join(parts: Sequence[pl.LazyFrame], path: Path, needed_bytes: int = 0) -> None:
    """Concatenate Parquet files in bounded memory. Raises DiskFullError, BadInputError.

    The bytes depend on the rows alone, and not on how they are divided into parts.
    """
    with _declared(path, needed_bytes):
        pl.concat(parts).sink_parquet(path, row_group_size=_ROWS_OF_A_GROUP)


def _append(path: Path) -> None:
    """Append to a file that could not be finished. Raises OSError where the disk takes no more."""
    if not path.is_file():
        return
    with path.open("ab") as file:
        file.write(bytes(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _declared(path: Path, needed_bytes: int) -> Iterator[None]:
    with declared(path.parent, needed_bytes):
        try:
            yield
        except pl.exceptions.ComputeError as error:  # the system's word is in its text alone
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                _append(path)  # where a footer finds no room, nothing says so
                why = f"it cannot be made ({' '.join(str(error).split())})"
                raise BadInputError(
                    str(path), why, "Move what is damaged there away and start again"
                ) from error
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
