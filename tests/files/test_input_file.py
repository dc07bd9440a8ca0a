"""What a person may name as a file: read to its end, or refused at once."""

import os
import socket
import threading

import pytest

from barograph.errors import BadInputError, FileChangedError
from barograph.files import input_file
from barograph.files.input_file import InputFile, seen


def whole(file):
    return b"".join(iter(lambda: file.read(7), b""))


def a_socket(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


def a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


NO_FILES = {
    "/dev/zero": lambda _: "/dev/zero",
    "/dev/null": lambda _: "/dev/null",
    "socket": a_socket,
    "directory": lambda tmp_path: tmp_path,
    "absent": lambda tmp_path: tmp_path / "absent",
    "long": lambda tmp_path: tmp_path / ("x" * 5000),
}


@pytest.mark.parametrize("named", NO_FILES.values(), ids=NO_FILES)
@pytest.mark.parametrize("pipes", [False, True])
def test_what_has_no_end_or_no_content_is_refused_at_once(tmp_path, named, pipes):
    path = type(tmp_path)(named(tmp_path))
    with pytest.raises(BadInputError, match="Name a readable file"):
        InputFile(path, pipes=pipes)


def writing(path, content):
    """A thread that writes into a pipe; it waits for a reader."""
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    return writer


def test_a_pipe_is_refused_where_a_file_is_read_twice_and_what_it_gives_is_taken(tmp_path):
    path, content = a_pipe(tmp_path), b"some\nlines\n"
    writer = writing(path, content)
    with pytest.raises(BadInputError, match=r"pipe, and would be read twice\. Write what it gives"):
        seen(path)
    file = tmp_path / "file"
    file.write_bytes(path.read_bytes())  # the writer still waits: nothing of it was lost
    writer.join(30)
    seen(file)
    with InputFile(file) as once, InputFile(file) as twice:
        assert whole(once) == whole(twice) == content


@pytest.mark.slow
def test_a_pipe_is_read_to_the_end_of_its_writer(tmp_path):
    path = a_pipe(tmp_path)
    content = bytes(range(256)) * 2000
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    with InputFile(path, pipes=True) as file:
        assert whole(file) == content
        assert (file.size, file.position) == (None, len(content))
        assert file.refuse_if_changed()
    writer.join()


def test_a_pipe_without_a_writer_is_refused_after_a_while_and_read_when_one_was_there_first(
    tmp_path, monkeypatch
):
    path = a_pipe(tmp_path)
    with monkeypatch.context() as soon:
        soon.setattr(input_file, "WRITER_S", 0.1)
        with (
            InputFile(path, pipes=True) as file,
            pytest.raises(BadInputError, match=r"pipe, for 0 s\. Start what writes into it first"),
        ):
            file.read(1)
    writer = writing(path, b"some")
    with InputFile(path, pipes=True) as file:
        assert whole(file) == b"some"
    writer.join(30)


def test_a_quiet_pipe_is_reported_once(tmp_path, monkeypatch):
    monkeypatch.setattr(input_file, "WRITER_S", 0.1)
    path, opened, warned = a_pipe(tmp_path), threading.Event(), threading.Event()
    lines = []

    def waiting(line):
        lines.append(line)
        warned.set()

    def write():
        with path.open("wb"):
            opened.set()
            warned.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    with InputFile(path, pipes=True, waiting=waiting) as file:
        assert opened.wait(30)
        assert whole(file) == b""
    writer.join()
    assert len(lines) == 1
    assert lines[0].startswith("pipe: waiting")


def test_an_unnamed_pipe_whose_writer_has_left_is_at_its_end():
    reader, writer = os.pipe()
    os.write(writer, b"all")
    os.close(writer)
    path = type(input_file.Path())(f"/dev/fd/{reader}")
    with InputFile(path, pipes=True) as file:
        assert whole(file) == b"all"
    os.close(reader)


def test_a_growing_file_ends_where_it_was_and_is_not_changed_by_that(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 3)
    with InputFile(path) as file:
        first = file.read(10)
        with path.open("ab") as more:
            more.write(b"more")
        assert first + whole(file) == b"0123456789" * 3
        assert file.refuse_if_changed()


def test_a_file_that_is_cut_says_where(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 3)
    with InputFile(path) as file:
        file.read(10)
        os.truncate(path, 15)
        with pytest.raises(FileChangedError, match="cut from 30 to 15 bytes"):
            whole(file)


@pytest.mark.parametrize("keep_times", [False, True])
def test_another_content_is_seen_whatever_its_times_say(tmp_path, keep_times):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 3)
    status = path.stat()
    with InputFile(path) as file:
        file.read(10)
        path.write_bytes(b"9876543210" * 3)
        if keep_times:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(FileChangedError, match="not there any more"):
            file.refuse_if_changed()


def test_looking_again_at_a_file_that_is_written_to_takes_a_share_of_the_time(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with InputFile(path) as file:
        whole(file)
        assert file.refuse_if_changed(wholly=False)
        file._check_at_s = float("inf")
        path.write_bytes(b"0123456789 and more")
        assert not file.refuse_if_changed(wholly=False)
        assert file.refuse_if_changed()
