"""A Parquet file as lines on standard output, and what cannot be read as one on standard error."""

import subprocess
import sys

import polars as pl

from barograph.files.parquet_reader import UNREADABLE


def ran(path, form="lines"):
    command = [sys.executable, "-m", "barograph.files.parquet_reader", form, path]
    return subprocess.run(command, capture_output=True, check=False)


def test_rows_are_lines(tmp_path):
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"a": [1, 2], "odd": [[1], [2]]}).write_parquet(path)
    done = ran(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"a":1}\n{"a":2}\n', b"")
    table = pl.read_ipc_stream(ran(path, "table").stdout)
    assert table["a"].to_list() == [1, 2]


def test_what_cannot_be_read_is_told_in_the_last_line(tmp_path):
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"odd": [[1], [2]]}).write_parquet(path)
    done = ran(path)
    assert (done.returncode, done.stdout) == (UNREADABLE, b"")
    assert done.stderr.splitlines()[-1] == b"no column of numbers, texts or times"
