"""What may go from this disk: what the log of the home has."""

from contextlib import closing

import pytest

from barograph.app.runs.moving import move, unknown_to
from barograph.archive.compact import compact
from barograph.errors import BadInputError
from barograph.feed.recover import recover
from barograph.log import open_log
from histories import archived, frames_of

FIRST, SECOND = "000001.ndjson.gz", "000002.ndjson.gz"


@pytest.fixture
def home(tmp_path):
    archived(tmp_path / "home" / "archive", range(3), range(3, 7))
    compact(tmp_path / "home" / "archive", tmp_path / "home" / "parquet")
    return tmp_path / "home"


def moved(home, tmp_path):
    return move(
        home / "archive", str(tmp_path / "store"), lake=home / "parquet", log=home, remove=True
    )


def test_without_a_log_nothing_goes(home, tmp_path):
    assert unknown_to(home, home / "archive") == {FIRST, SECOND}
    done = moved(home, tmp_path)
    assert (done.removed, set(done.kept)) == ([], {FIRST, SECOND})
    assert not (home / "log.sqlite").exists()


def test_what_the_log_took_in_goes(home, tmp_path):
    with closing(open_log(home)) as log:
        recover(log, home / "archive")
    assert unknown_to(home, home / "archive") == frozenset()
    archived(home / "archive", range(7, 9))
    compact(home / "archive", home / "parquet")
    assert unknown_to(home, home / "archive") == {"000003.ndjson.gz"}
    done = moved(home, tmp_path)
    assert (done.removed, set(done.kept)) == ([FIRST, SECOND], {"000003.ndjson.gz"})
    assert done.lake.files == 3
    assert set(frames_of(home / "archive")) & {FIRST, SECOND} == set()


def test_without_an_archive_nobody_is_asked(tmp_path):
    with pytest.raises(BadInputError, match="there is no archive"):
        move(tmp_path, "s3://b/x", lake=tmp_path, log=tmp_path, remove=False)
