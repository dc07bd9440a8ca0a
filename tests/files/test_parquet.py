"""Parquet files on disks that fail."""

import resource
import subprocess
import sys

import polars as pl
import pytest

from barograph.errors import BadInputError
from barograph.files import parquet

FRAME = pl.DataFrame({"a": list(range(100))})
PROGRAM = """
import resource, sys
from pathlib import Path
import polars as pl
from barograph.files import parquet
from barograph.errors import DiskFullError
signal = __import__("signal"); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    parquet.write(pl.DataFrame({"a": [str(n) for n in range(100_000)]}), Path(sys.argv[1]))
except DiskFullError as error:
    print(error)
"""


AT_ANY_BYTE = """
import resource, signal, sys
from pathlib import Path
import polars as pl
from barograph.files import parquet
from barograph.errors import DiskFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file, frame, full = Path(sys.argv[1]), pl.DataFrame({"a": list(range(100))}), 0
parquet.write(frame, file)
size = file.stat().st_size
for limit in range(0, size, 7):
    file.unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        parquet.write(frame, file)
    except DiskFullError:
        full += 1
print(full, len(range(0, size, 7)))
"""


def test_parts_are_joined_in_their_order(tmp_path):
    parts = [tmp_path / "1", tmp_path / "2"]
    for part in parts:
        parquet.write(FRAME, part)
    parquet.join([pl.scan_parquet(part) for part in parts], tmp_path / "whole")
    # exact: written and read back
    assert pl.read_parquet(tmp_path / "whole").equals(pl.concat([FRAME, FRAME]))


def test_a_damaged_part_is_reported(tmp_path):
    parquet.write(FRAME, tmp_path / "part")
    content = (tmp_path / "part").read_bytes()
    (tmp_path / "part").write_bytes(content[:50] + b"\xff" * 50 + content[100:-8] + b"\0" * 8)
    with pytest.raises(BadInputError, match="it cannot be made"):
        parquet.join([pl.scan_parquet(tmp_path / "part")], tmp_path / "whole")


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(BadInputError, match="No such file or directory"):
        parquet.write(FRAME, tmp_path / "none" / "file")


@pytest.mark.slow
def test_a_limit_that_polars_meets_is_reported(tmp_path):
    words = [sys.executable, "-c", PROGRAM, tmp_path / "file"]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    assert "is full (File too large): " in done.stdout
    assert "`ulimit -f`" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


@pytest.mark.slow
def test_wherever_the_room_ends_it_is_reported_as_that(tmp_path):
    """In the footer, too, of which Polars says nothing but that it could not be written."""
    words = [sys.executable, "-c", AT_ANY_BYTE, tmp_path / "file"]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    full, limits = map(int, done.stdout.split())
    assert full == limits > 50
