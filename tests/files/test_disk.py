"""Writing so that it is there afterwards."""

import errno
import os

import pytest

from barograph.errors import BadInputError, DiskFullError
from barograph.files.disk import declared, read_regular, write_whole


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_a_disk_that_is_full(tmp_path, number):
    with pytest.raises(DiskFullError, match="is full"), declared(tmp_path):
        raise OSError(number, os.strerror(number))


def test_what_cannot_be_written_is_reported_in_one_line(tmp_path):
    with pytest.raises(BadInputError, match="cannot be written"):
        write_whole(tmp_path / "none" / "file", b"")


def test_a_file_is_put_in_place_whole_and_nothing_is_left_beside_it(tmp_path):
    for content in (b"one", b"two"):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    """A pipe without a writer would be waited for, and a device has no end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "zero", tmp_path):
        with pytest.raises(OSError, match="it is no regular file"):
            read_regular(path)
    write_whole(tmp_path / "file", b"content")
    assert read_regular(tmp_path / "file") == b"content"
