"""Parquet files of strangers, as lines of JSON or as a table."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from barograph.files.disk import declared
from barograph.files.packed import TornError

_CHUNK_BYTES = 1 << 18
_LONGEST_WHY = 200


def rows_as_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the rows in chunks of whole lines.

    The stream is copied to a temporary file first, because a Parquet file is read from its end: so
    a pipe can be one, and a file that is changed meanwhile cannot harm. Times have nine digits of
    the second, and a zone where the column has one. Raises TornError for what cannot be read, and
    DiskFullError.
    """
    with _reader("lines", chunks) as stream:
        rest = b""
        while chunk := stream.read(_CHUNK_BYTES):
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                yield lines + newline


def arrow_stream(content: bytes) -> bytes:
    """Return the whole table as an Arrow stream. Raises TornError and DiskFullError."""
    with _reader("table", [content]) as stream:
        return stream.read()


@contextmanager
def _reader(form: Literal["lines", "table"], chunks: Iterable[bytes]) -> Iterator[IO[bytes]]:
    """What a process of its own makes of a file, which a damaged one may end."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy, tempfile.TemporaryFile() as errors:
        with declared(Path(copy.name).parent):
            for chunk in chunks:
                copy.write(chunk)
            copy.flush()
        # -P: nothing of the working directory is imported, unless this process does so.
        module = ("-P", "-m", "barograph.files.parquet_reader")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "RUST_BACKTRACE": "0"}
        with subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, *module, form, copy.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            try:
                yield process.stdout
                process.wait()
            finally:
                if process.poll() is None:  # enough was read
                    process.kill()
        if process.returncode:
            raise TornError(f"the Parquet file is damaged or cannot be read: {_why(errors)}")


def _why(errors: IO[bytes]) -> str:
    """The last line that the reader wrote, which is what ended it."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    told = [line for line in lines if not line.startswith("note: ")]
    return told[-1][:_LONGEST_WHY] if told else "its reader was ended"
