"""What is no record of a whole backup is refused in one line."""

import json

import pytest

from barograph.app.runs.backup.record import FILE, BackedUpFile, BackupRecord, keep, read
from barograph.errors import BadInputError

RECORD = BackupRecord(
    version="0.1.0", home="/srv/h", time_ns=1, files=[BackedUpFile("home/log.sqlite", 3, "ab")]
)


def test_a_record_comes_back_as_it_was_kept(tmp_path):
    keep(tmp_path, RECORD)
    assert read(tmp_path) == RECORD


def test_without_a_record_a_backup_was_interrupted(tmp_path):
    with pytest.raises(BadInputError, match="it was interrupted"):
        read(tmp_path)
    with pytest.raises(BadInputError, match="it is no folder"):
        read(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="it is no folder"):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is damaged"),
        (b"[", "it is damaged"),
        (b"[" * 100_000, "it is damaged"),
        (b'{"form": 1}', "it is damaged"),
        (b'{"form": 2, "whatever": 1}', "a newer Barograph made this backup"),
    ],
)
def test_a_record_that_cannot_be_followed_is_refused(tmp_path, content, why):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(BadInputError, match=why):
        read(tmp_path)


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "home/../../up", "", "a\0b"])
def test_a_path_that_leads_out_of_the_backup_is_refused(tmp_path, path):
    keep(tmp_path, RECORD)
    record = json.loads((tmp_path / FILE).read_bytes())
    record["files"][0][0] = path
    (tmp_path / FILE).write_text(json.dumps(record))
    with pytest.raises(BadInputError, match="no path within a backup"):
        read(tmp_path)
