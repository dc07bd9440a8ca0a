import gzip
import json
import os
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive.recording import MAX_LINE_BYTES, Recorded, Recording
from barograph.archive.recording_files import recording_files
from barograph.errors import BadInputError
from barograph.types import DeadLetter, Fault
from coinbase_messages import TICKER

LINE = json.dumps(TICKER).encode()


def recording(tmp_path, content, compress=False):
    path = tmp_path / "recording"
    path.write_bytes(gzip.compress(content) if compress else content)
    return Recording(path)


def read(tmp_path, content, compress=False):
    entries = list(recording(tmp_path, content, compress))
    return [e for e in entries if isinstance(e, Recorded)], [
        e for e in entries if isinstance(e, DeadLetter)
    ]


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_lines_are_numbered_frames(tmp_path, compress, end):
    frames, letters = read(tmp_path, b"\n".join([LINE, b"", LINE]) + end, compress)
    assert letters == []
    assert [(entry.line, entry.frame.data) for entry in frames] == [(1, LINE), (3, LINE)]
    assert frames[0].opening.connection == frames[0].frame.connection
    assert frames[0].frame.receive_time_ns is None


def test_gzip_members_and_padding_are_one_stream(tmp_path):
    path = tmp_path / "recording"
    path.write_bytes(gzip.compress(LINE + b"\n" + LINE[:9]) + gzip.compress(LINE[9:]) + bytes(99))
    assert [e.frame.data for e in Recording(path)] == [LINE, LINE]


def test_connections_follow_from_content_and_form_not_from_the_name(tmp_path):
    first, _ = read(tmp_path, LINE)
    (tmp_path / "elsewhere").mkdir()
    again, _ = read(tmp_path / "elsewhere", LINE)
    other, _ = read(tmp_path, LINE + b" ")
    assert first == again
    assert first[0].frame.connection != other[0].frame.connection


def test_forms_are_told_line_by_line_and_have_their_own_connections(tmp_path):
    pair = b'{"ts":1.5,"raw":%b}' % json.dumps(LINE.decode()).encode()
    frames, _ = read(tmp_path, b"\n".join([LINE, pair, LINE]))
    assert [entry.frame.data for entry in frames] == [LINE] * 3
    assert [entry.frame.connection.split("/")[1] for entry in frames] == [
        "exchange", "pair", "exchange"
    ]  # fmt: skip
    assert frames[1].frame.receive_time_ns == 1_500_000_000


@pytest.mark.parametrize(
    ("line", "fault"),
    [(b"{", Fault.NOT_JSON), (b"\xff", Fault.NOT_UTF8), (b"[]", Fault.WRONG_SHAPE)],
)
def test_a_line_that_is_no_frame_is_a_dead_letter_with_file_and_line(tmp_path, line, fault):
    frames, (letter,) = read(tmp_path, b"\n".join([LINE, line, LINE]))
    assert len(frames) == 2
    assert letter.fault is fault
    assert (letter.source, letter.position, letter.original) == ("recording", "2", line)


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("length", [MAX_LINE_BYTES + 1, 10_000_000])
def test_a_line_over_the_bound_is_a_dead_letter_with_its_first_kilobyte(tmp_path, length, end):
    big = b'{"x":"' + b"y" * length
    frames, (letter,) = (
        read(tmp_path, b"\n".join([LINE, big, LINE]))
        if end
        else (read(tmp_path, LINE + b"\n" + big))
    )
    assert len(frames) == (2 if end else 1)
    assert letter.fault is Fault.TOO_LONG
    assert (letter.position, letter.original) == ("2", big[:1024])
    assert str(len(big)) in letter.detail


def test_a_line_at_the_bound_is_read(tmp_path):
    line = LINE[:-1] + b" " * (MAX_LINE_BYTES - len(LINE)) + b"}"
    frames, letters = read(tmp_path, line + b"\n")
    assert (len(frames), letters) == (1, [])


def test_a_truncated_gzip_gives_all_whole_lines_and_one_letter(tmp_path):
    path = tmp_path / "recording"
    content = b"".join(b'{"type":"ticker","n":%d}\n' % (n * 7919 % 10007) for n in range(5000))
    path.write_bytes(gzip.compress(content)[:-2000])
    *frames, letter = list(Recording(path))
    known = zlib.decompressobj(31).decompress(path.read_bytes())
    assert [entry.frame.data for entry in frames] == known.split(b"\n")[:-1]
    assert (letter.fault, letter.position) == (Fault.TRUNCATED, str(len(frames) + 1))
    # igzip may hold back a symbol that zlib gives.
    assert known.split(b"\n")[-1].startswith(letter.original)


def test_a_gzip_with_a_wrong_checksum_says_so(tmp_path):
    path = tmp_path / "recording"
    path.write_bytes(gzip.compress(LINE + b"\n")[:-8] + bytes(8))
    (letter,) = (e for e in Recording(path) if isinstance(e, DeadLetter))
    assert letter.fault is Fault.TRUNCATED
    assert "checksum" in letter.detail


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)], ids=["plain", "gzip"])
def test_an_empty_file_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "nothing"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="nothing"):
        list(Recording(path))
    with pytest.raises(BadInputError, match="nothing"):
        recording_files([path])


def test_before_a_recording_is_taken_a_pipe_is_not_opened(tmp_path):
    recording(tmp_path, LINE)
    os.mkfifo(tmp_path / "pipe")
    recording_files([tmp_path / "recording", tmp_path / "pipe"])  # opening it would wait


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    with pytest.raises(BadInputError, match="absent"):
        Recording(tmp_path / "absent")
    with pytest.raises(BadInputError, match="directory"):
        Recording(tmp_path)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([LINE, b"", b"{", b"\xff", b"[]"]) | st.binary(max_size=30)), st.data()
)
def test_reading_can_go_on_after_any_line(tmp_path_factory, lines, drawn):
    whole = recording(tmp_path_factory.mktemp("r"), b"\n".join([LINE, *lines]), compress=True)
    entries = list(whole)
    line = drawn.draw(st.integers(0, len(lines) + 1))
    number = [e.line if isinstance(e, Recorded) else int(e.position) for e in entries]
    assert list(whole.after(line)) == entries[sum(n <= line for n in number) :]
    assert whole.bytes_read == whole.size


@pytest.mark.parametrize("content", [b"\n\n \n", b"product,time,bid,ask\n"])
def test_a_file_without_a_record_is_refused(tmp_path, content):
    """Two such files were one recording, so the second was said to be replayed already."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="it holds no record"):
        list(Recording(path))
