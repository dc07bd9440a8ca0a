"""What stands for recordings on the command line: files in any order, directories, archives."""

import pytest

from barograph.archive.recording_files import recording_files
from barograph.errors import BadInputError
from coinbase_messages import ticker
from homes import Home, recorded
from recorded_sessions import session


def test_recordings_come_in_the_order_of_time(tmp_path):
    late = recorded(tmp_path, ticker(7200), name="a.ndjson")
    early = recorded(tmp_path, b"garbage", ticker(0), name="b.ndjson")
    assert recording_files([late, early]) == [early, late]
    assert recording_files([early, late]) == [early, late]


def test_those_without_a_time_keep_their_order_and_come_first(tmp_path):
    with_time = recorded(tmp_path, ticker(0), name="a.ndjson")
    without = [recorded(tmp_path, b"x", name=name) for name in ("z.ndjson", "b.ndjson")]
    assert recording_files([with_time, *without]) == [*without, with_time]


def test_a_directory_stands_for_the_files_in_it(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    late = recorded(folder, ticker(7200), name="a.ndjson")
    early = recorded(folder, ticker(0), name="b.ndjson")
    (folder / ".hidden").write_bytes(b"x")
    (folder / "deeper").mkdir()
    assert recording_files([folder]) == [early, late]


def test_an_empty_directory_is_refused_by_name(tmp_path):
    folder = tmp_path / "none"
    folder.mkdir()
    with pytest.raises(BadInputError, match="a directory without a recording"):
        recording_files([folder])


def test_of_an_archive_only_its_frames_are_read_in_their_own_order(tmp_path):
    home = Home(tmp_path / "home")
    home.replay(recorded(tmp_path, *session(7200, 60), name="late.ndjson"))
    home.replay(recorded(tmp_path, *session(0, 60), name="early.ndjson"))
    home.log.close()
    files = [home.archive / f"00000{number}.ndjson.gz" for number in (1, 2)]
    assert recording_files([home.archive]) == files
    assert recording_files(sorted(home.archive.iterdir())) == files
    assert recording_files(files[::-1]) == files


def test_what_compact_made_is_refused_with_a_cure_that_works(tmp_path):
    folder = tmp_path / "home" / "parquet"
    file = folder / "product=BTC-USD" / "date=2026-01-31" / "hour=07.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PAR1")
    for named in (folder, file):
        with pytest.raises(BadInputError, match="archive compact") as refused:
            recording_files([named])
        assert "archive" in str(refused.value)
