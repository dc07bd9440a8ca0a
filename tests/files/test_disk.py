"""Writing so that it is there afterwards."""

import errno
import os
from pathlib import Path

import pytest

from barograph.errors import BadInputError, DiskFullError
from barograph.files.disk import declared, only_holder, put_in_place, read_regular, write_whole


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


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(os.devnull)])
def test_what_is_no_file_is_never_replaced(tmp_path, make):
    """A page that was sent to a device took the device's name, for everybody."""
    place, whole = tmp_path / "card.html", tmp_path / "whole"
    make(place)
    kind = place.stat().st_mode
    with pytest.raises(BadInputError, match="no regular file"):
        write_whole(place, b"a page")
    whole.write_bytes(b"a page")
    with pytest.raises(OSError, match="no regular file"):
        put_in_place(whole, place)
    assert place.stat().st_mode == kind
    assert {each.name for each in tmp_path.iterdir()} == {"card.html", "whole"}


def test_a_lock_has_one_holder_and_is_free_behind_it(tmp_path):
    held = BadInputError("it", "another has it", "Wait for it")
    lock = tmp_path / "lock"
    with only_holder(lock, held):
        with pytest.raises(BadInputError) as raised, only_holder(lock, held):
            pytest.fail("two hold it")
        assert raised.value is held
    with only_holder(lock, held):
        pass
