"""A file is copied as far as it is meant, and hashed."""

import hashlib
import os

import pytest

from barograph.errors import BadInputError, DiskFullError
from barograph.files.copying import copied_sha256


def test_the_first_bytes_are_copied_into_a_new_folder(tmp_path):
    content = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(content)
    for size in (0, 1, len(content) - 1, len(content)):
        digest = copied_sha256(tmp_path / "a", tmp_path / "new" / "b", size)
        assert (tmp_path / "new" / "b").read_bytes() == content[:size]
        assert digest == hashlib.sha256(content[:size]).hexdigest()


def test_a_source_that_is_shorter_gone_or_no_file_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with pytest.raises(BadInputError, match="cut short by 1 bytes"):
        copied_sha256(tmp_path / "a", tmp_path / "b", 4)
    with pytest.raises(FileNotFoundError):
        copied_sha256(tmp_path / "none", tmp_path / "b", 4)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInputError, match="it is no regular file"):
        copied_sha256(tmp_path / "pipe", tmp_path / "b", 4)


def test_a_target_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="it cannot be written"):
        copied_sha256(tmp_path / "a", tmp_path / "file" / "b", 3)
    with pytest.raises(DiskFullError):
        copied_sha256(tmp_path / "a", _full(tmp_path), 3)


def _full(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    return tmp_path / "full"
