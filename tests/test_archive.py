import gzip
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive import (
    MAX_LINE_BYTES,
    ArchivedFrame,
    ArchiveWriter,
    Closing,
    Place,
    Recorded,
    Recording,
    archive_end,
    read_archive,
)
from barograph.errors import BadInputError
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.continuity import Dialect, Opening
from coinbase_messages import TICKER

OPENING = Opening(connection="c", dialect=Dialect.EXCHANGE, continuity="none")


def frame(data=b'{"a": 1}', connection="c", receive_time_ns=None):
    return Frame(data=data, connection=connection, receive_time_ns=receive_time_ns)


def write(directory, *datas):
    writer = ArchiveWriter(directory)
    for data in datas:
        writer.frame(frame(data), Dialect.EXCHANGE)
    place = writer.flush()
    writer.close()
    return place


def datas(directory, after=None):
    entries = list(read_archive(directory, after))
    return [e.frame.data for e in entries if isinstance(e, ArchivedFrame)], [
        e for e in entries if isinstance(e, DeadLetter)
    ]


# Our own archive.

json_frames = st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers()).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode()
)
nasty = st.sampled_from(
    [b"", b"{}", b" {}", b'{},"at":{}', b'{"a":\n1}', b"{\r\n}", b'{"a":"\xff"}', b"[" * 9000, b"{"]
)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=99) | json_frames | nasty,
            st.text(max_size=5),
            st.sampled_from(Dialect),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=8,
    ),
    st.sets(st.integers(0, 8)),
)
def test_every_frame_comes_back_byte_for_byte(tmp_path_factory, frames, flushes):
    directory = tmp_path_factory.mktemp("archive")
    writer = ArchiveWriter(directory, file_bytes=150)
    written = []
    for number, (data, connection, dialect, receive_time_ns) in enumerate(frames):
        if number in flushes:
            writer.flush()
        written.append(ArchivedFrame(frame(data, connection, receive_time_ns), dialect))
        writer.frame(*written[-1])
    writer.close()
    assert list(read_archive(directory)) == written


def test_openings_and_closings_stand_among_the_frames(tmp_path):
    writer = ArchiveWriter(tmp_path)
    writer.open(OPENING)
    writer.frame(frame(), Dialect.ADVANCED)
    writer.close_connection("c")
    writer.close()
    assert list(read_archive(tmp_path)) == [
        OPENING,
        ArchivedFrame(frame(), Dialect.ADVANCED),
        Closing("c"),
    ]


def test_every_tool_reads_the_files(tmp_path):
    write(tmp_path, b'{"price":  "1.50"}')
    write(tmp_path, b"{\n}", b"\xff")
    first, second = sorted(tmp_path.glob("*.gz"))
    assert gzip.decompress(first.read_bytes()) == (
        b'{"connection":"c","dialect":"exchange","frame":{"price":  "1.50"}}\n'
    )
    lines = [json.loads(line) for line in gzip.decompress(second.read_bytes()).splitlines()]
    assert [line.get("text", line.get("base64")) for line in lines] == ["{\n}", "/w=="]


def test_files_are_numbered_and_read_in_their_order(tmp_path):
    writer = ArchiveWriter(tmp_path, file_bytes=1)
    for number in range(12):
        writer.frame(frame(b"%d" % number), Dialect.EXCHANGE)
        writer.flush()
    writer.close()
    assert len(list(tmp_path.glob("*.ndjson.gz"))) == 12
    assert datas(tmp_path)[0] == [b"%d" % number for number in range(12)]


def test_reading_can_begin_after_a_place(tmp_path):
    place = write(tmp_path, b"{}")
    write(tmp_path, b"[1]", b"[2]")
    assert datas(tmp_path, place)[0] == [b"[1]", b"[2]"]


def test_a_writer_can_go_on_at_a_place_and_forgets_what_came_after(tmp_path):
    writer = ArchiveWriter(tmp_path, file_bytes=1000)
    writer.frame(frame(b"{}"), Dialect.EXCHANGE)
    place = writer.flush()
    writer.frame(frame(b"[1]"), Dialect.EXCHANGE)
    writer.close()
    write(tmp_path, b"[2]")
    writer = ArchiveWriter(tmp_path)
    writer.cut(place)
    writer.frame(frame(b"[3]"), Dialect.EXCHANGE)
    writer.close()
    assert datas(tmp_path) == ([b"{}", b"[3]"], [])


def test_a_new_writer_touches_nothing_that_is_there(tmp_path):
    write(tmp_path, b"{}")
    before = archive_end(tmp_path)
    assert write(tmp_path, b"[1]").file == before.file + 1
    assert datas(tmp_path)[0] == [b"{}", b"[1]"]


def test_two_writers_at_once_are_refused_and_the_second_may_come_later(tmp_path):
    writer = ArchiveWriter(tmp_path)
    with pytest.raises(BadInputError, match="another feed writes here"):
        ArchiveWriter(tmp_path)
    writer.close()
    ArchiveWriter(tmp_path).close()


def test_an_archive_that_is_not_there_is_empty(tmp_path):
    assert list(read_archive(tmp_path / "none")) == []
    assert archive_end(tmp_path / "none") == Place()


@settings(max_examples=60)
@given(st.data())
def test_a_torn_file_gives_its_whole_lines_and_one_letter_for_the_rest(tmp_path_factory, drawn):
    directory = tmp_path_factory.mktemp("archive")
    frames = [b'{"n":%d}' % number for number in range(50)]
    first = write(directory, *frames)
    path = directory / f"{first.file:06d}.ndjson.gz"
    whole = path.read_bytes()
    kept = drawn.draw(st.integers(1, len(whole) - 1))
    path.write_bytes(whole[:kept])
    read, letters = datas(directory)
    assert read == frames[: len(read)]
    assert [letter.fault for letter in letters] == [Fault.TRUNCATED]
    inflated = zlib.decompressobj(31).decompress(whole[:kept])
    assert len(read) >= inflated.count(b"\n") - 1


def test_a_damaged_line_is_a_letter_and_the_others_are_read(tmp_path):
    write(tmp_path, b"{}")
    with (tmp_path / "000001.ndjson.gz").open("ab") as file:
        file.write(gzip.compress(b'garbage\n{"connection":"c"}\n'))
    entries = list(read_archive(tmp_path))
    assert [type(entry) for entry in entries] == [ArchivedFrame, DeadLetter, Closing]
    assert (entries[1].source, entries[1].position) == ("000001.ndjson.gz", "2")


# Recordings.

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
