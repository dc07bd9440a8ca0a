import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_contents import archive_end, read_archive
from barograph.archive.book import keep_book, new_id
from barograph.archive.files import archive_files, keep_manifest, number_of, read_file
from barograph.archive.manifest import ArchiveManifest
from barograph.archive.recall import LOG_ID, STANDING, Recall, compare, is_read_again
from barograph.archive.standing import ArchivePosition, numbers_in, with_file
from barograph.archive.writer import ArchiveWriter
from barograph.errors import BadInputError, RemovedError
from barograph.types import Frame, Heartbeat
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Settlement
from small_archive import datas, heard, write

OPENING = Opening(connection="c", dialect=Dialect.EXCHANGE, continuity="none")
HOUR_NS = 3600 * 10**9


@settings(max_examples=60)
@given(st.lists(st.tuples(st.binary(max_size=99), st.booleans())))
def test_every_entry_comes_back_in_its_order(tmp_path_factory, drawn):
    directory = tmp_path_factory.mktemp("archive")
    writer = ArchiveWriter(directory, file_bytes=150)
    written = [OPENING]
    writer.write(OPENING)
    for data, flush in drawn:
        if flush:
            writer.flush()
        written.append(heard(data))
        writer.write(written[-1])
    for entry in (Answer("B", written[-1].frame if drawn else heard().frame), Settlement("c", "B")):
        written.append(entry)
        writer.write(entry)
    written.append(Closing("c"))
    writer.write(Closing("c"))
    writer.close()
    assert list(read_archive(directory)) == written


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
        writer.write(heard(b"%d" % number))
        writer.flush()
    writer.close()
    assert len(list(tmp_path.glob("*.ndjson.gz"))) == 12
    assert datas(tmp_path)[0] == [b"%d" % number for number in range(12)]


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


# Files end, and say what they hold.


def at(hours, number=0):
    return heard(b'{"n":%d}' % number, receive_time_ns=round(hours * HOUR_NS))


def frames_of(directory):
    """For each file the numbers in its frames."""
    return [
        [json.loads(entry.frame.data)["n"] for entry in read_file(file.path)]
        for file in archive_files(directory)
    ]


def test_an_hour_of_receipt_has_a_file_of_its_own(tmp_path):
    writer = ArchiveWriter(tmp_path)
    for number, hours in enumerate([5.1, 5.9, 6.0, 6.5, 8.0, 8.1]):
        writer.write(at(hours, number))
    writer.close()
    assert frames_of(tmp_path) == [[0, 1], [2, 3], [4, 5]]


def test_a_clock_that_is_set_back_a_little_begins_no_file_and_an_old_recording_does(tmp_path):
    writer = ArchiveWriter(tmp_path)
    for number, hours in enumerate([6.0, 5.99, 6.01, 2.0, 2.5]):
        writer.write(at(hours, number))
    writer.close()
    assert frames_of(tmp_path) == [[0, 1, 2], [3, 4]]


def test_lines_together_are_the_frames_that_they_are_alone(tmp_path):
    lines = [b'{"n":%d}' % n for n in range(5)]
    for name in ("alone", "together"):
        writer = ArchiveWriter(tmp_path / name, file_bytes=1)
        writer.write(OPENING)
        for some in (lines[:3], lines[3:]):
            if name == "alone":
                frames = [Frame(data=line, connection="c") for line in some]
                assert writer.write_frames(frames, OPENING.dialect) == len(some)
            else:
                writer.write_lines(some, OPENING)
            writer.flush()
            writer.acknowledge()
        writer.close()
    alone, together = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("alone", "together")
    )
    assert together == alone
    assert len(alone) == 5


def test_frames_whose_receipt_nobody_knows_go_where_the_others_are(tmp_path):
    writer = ArchiveWriter(tmp_path)
    for entry in (heard(b'{"n":0}'), at(3, 1), heard(b'{"n":2}'), at(4, 3), heard(b'{"n":4}')):
        writer.write(entry)
    writer.close()
    assert frames_of(tmp_path) == [[0, 1, 2], [3, 4]]


@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1))
def test_frames_go_into_the_same_files_one_by_one_and_together(tmp_path_factory, halves):
    alone, together = (tmp_path_factory.mktemp("archive") for _ in range(2))
    entries = [
        heard(b'{"n":%d}' % n) if half is None else at(half / 2, n) for n, half in enumerate(halves)
    ]
    with closing(ArchiveWriter(alone)) as writer:
        for entry in entries:
            writer.write(entry)
    frames = [entry.frame for entry in entries]
    with closing(ArchiveWriter(together)) as writer:
        while frames:
            frames = frames[writer.write_frames(frames, Dialect.EXCHANGE) :]
    assert frames_of(together) == frames_of(alone)


def beat(n):
    return [Heartbeat(product="B", event_time_ns=n)]


class KilledError(Exception):
    """Nothing of the process runs after it."""


class ToyFeed:
    """Writes numbered frames whose events are one heartbeat each; dies where it is told to.

    What its log has lies in `saved`: its checkpoints, and how many frames were taken. A `recording`
    is read again from there; what a live connection gave is gone.
    """

    def __init__(self, directory, saved, *, recording):
        self.saved, self.directory = saved, directory
        self.connection = "replay:c" if recording else "c"
        self.writer = ArchiveWriter(directory, file_bytes=200)
        recalled = compare(directory, saved, "log.sqlite")
        assert not recalled.unknown
        self.standing, self.next = recalled.standing, saved.get("taken", 0)
        for manifest in recalled.standing.finished:
            keep_manifest(directory, manifest)
        if is_read_again(recalled.tail, recalled.standing):
            self.writer.set_aside(recalled.tail, recalled.standing)
        else:
            recall = Recall(msgspec.structs.replace(recalled.standing, finished=()), recalled.tail)
            for entry in recall.entries():
                self.next = json.loads(entry.frame.data)["n"] + 1
                recall.note(beat(self.next - 1), ())
            if recalled.tail:
                self.save(recalled.book, recalled.log, recall.checkpoint())
                recall.acknowledge(directory)
            self.standing = recall.standing
        self.book, self.log, self.run = recalled.book, recalled.log, new_id()
        keep_book(directory, recalled.book)
        last = max([0, *numbers_in(self.standing.has)])
        self.writer.serve(recalled.book, recalled.log, "log.sqlite", run=self.run, known=last)
        self.commit()

    def save(self, book, log, standing):
        self.saved |= {
            f"{STANDING}{book.archive}": msgspec.json.encode(standing),
            LOG_ID: log.encode(),
            "taken": self.next,
        }

    def take(self, hours):
        n = self.next
        frame = at(hours, n).frame
        frame = msgspec.structs.replace(frame, connection=self.connection)
        self.writer.write(Heard(frame, Dialect.EXCHANGE))
        self.writer.note(beat(n), ())
        self.next = n + 1

    def do(self, step, hours):
        if step in {"take", "hour"}:
            self.take(hours)
        elif step == "die":
            raise KilledError
        elif step == "close":
            self.writer.close()
            raise KilledError
        else:
            self.commit(dies=step)

    def commit(self, dies=None):
        end = self.writer.flush()
        has = self.standing.has
        for number in [*(number_of(each.file) for each in end.finished), end.file]:
            if (self.directory / f"{number:06d}.ndjson.gz").exists():
                has = with_file(has, number)
        self.standing = msgspec.structs.replace(end, has=has, run=self.run)
        if dies == "before the log":
            raise KilledError
        self.save(self.book, self.log, self.standing)
        if dies == "after the log":
            raise KilledError
        self.writer.acknowledge()

    def die(self):
        self.writer._lock.close()


steps = st.lists(
    st.sampled_from(["take", "hour", "commit", "before the log", "after the log", "die", "close"]),
    max_size=40,
)


@pytest.mark.slow
@pytest.mark.parametrize("recording", [True, False], ids=["recording", "live"])
@given(steps=steps)
def test_manifests_are_right_and_whole_whoever_was_killed_when(tmp_path_factory, recording, steps):
    """Each file says what it holds; no line and no event is counted twice or not at all."""
    directory, saved, hours = tmp_path_factory.mktemp("archive"), {}, 0.0
    feed = ToyFeed(directory, saved, recording=recording)
    for step in steps:
        hours += 1.0 if step == "hour" else 0.01
        try:
            feed.do(step, hours)
        except KilledError:
            feed.die()
            feed = ToyFeed(directory, saved, recording=recording)
    feed.commit()
    feed.writer.close()
    numbers = [n for numbers in frames_of(directory) for n in numbers]
    assert numbers == sorted(set(numbers))
    if recording:
        assert numbers == list(range(saved["taken"]))
    for file in archive_files(directory):
        expected = ArchiveManifest()
        for entry in read_file(file.path):
            expected.add(entry)
            expected.note(beat(json.loads(entry.frame.data)["n"]))
        expected.file, expected.bytes = file.path.name, file.path.stat().st_size
        expected.sha256 = hashlib.sha256(file.path.read_bytes()).hexdigest()
        assert file.manifest == expected


def test_what_came_after_a_standing_is_set_aside_and_what_came_before_is_finished(tmp_path):
    writer = ArchiveWriter(tmp_path)
    writer.write(heard(b"{}"))
    standing = writer.flush()
    writer.write(heard(b"[1]"))
    writer.close()
    write(tmp_path, b"[2]")
    whole = [path.read_bytes() for path in sorted(tmp_path.glob("*.gz"))]
    writer = ArchiveWriter(tmp_path)
    moved = writer.set_aside(archive_files(tmp_path), standing)
    assert [path.name for path in moved] == [
        f"000001-{standing.size}.ndjson.gz",
        "000002.ndjson.gz",
    ]
    assert (tmp_path / "000001.ndjson.gz").read_bytes() + moved[0].read_bytes() == whole[0]
    assert moved[1].read_bytes() == whole[1]
    writer.write(heard(b"[3]"))
    writer.flush()
    writer.acknowledge()
    writer.close()
    assert datas(tmp_path) == ([b"{}", b"[3]"], [])
    assert all(file.manifest for file in archive_files(tmp_path))


def test_what_is_set_aside_hides_nothing_that_was_before(tmp_path):
    for _ in range(2):
        place = write(tmp_path, b"{}")
        writer = ArchiveWriter(tmp_path)
        (moved,) = writer.set_aside(archive_files(tmp_path), ArchivePosition())
        writer.close()
        assert place.file == 1
    assert moved.name == "000001-2.ndjson.gz"
    assert len(list((tmp_path / "aside").iterdir())) == 2


def test_files_that_were_removed_leave_their_numbers(tmp_path):
    """A manifest outlives its file, so a later file is not taken for it."""
    for _ in range(2):
        writer = ArchiveWriter(tmp_path)
        writer.write(at(1, 0))
        writer.flush()
        writer.acknowledge()
        writer.close()
        (tmp_path / "000001.ndjson.gz").unlink(missing_ok=True)
    first, second = archive_files(tmp_path)
    assert (first.number, first.there, first.manifest.frames) == (1, False, 1)
    assert (second.number, second.there) == (2, True)


def test_a_file_that_is_there_already_is_never_written_to(tmp_path):
    writer = ArchiveWriter(tmp_path)
    (tmp_path / "000001.ndjson.gz").write_bytes(b"somebody's")
    writer.write(heard(b"{}"))
    with pytest.raises(BadInputError, match="cannot be written"):
        writer.flush()
    writer.close()
    assert (tmp_path / "000001.ndjson.gz").read_bytes() == b"somebody's"


# Somebody removes what is being written.


def removed(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("deed", [removed, cut])
def test_a_file_that_goes_while_it_is_written_costs_none_of_what_comes(tmp_path, deed):
    writer = ArchiveWriter(tmp_path)
    writer.write(at(1, 0))
    writer.flush()
    deed(tmp_path / "000001.ndjson.gz")
    writer.write(at(1, 1))
    writer.flush()
    writer.acknowledge()
    writer.close()
    assert [path.name for path in writer.lost] == ["000001.ndjson.gz"]
    *_, second = archive_files(tmp_path)
    assert [json.loads(entry.frame.data)["n"] for entry in read_file(second.path)] == [1]
    assert (second.manifest.frames, second.number) == (1, 2)


def test_an_archive_that_goes_while_it_is_written_ends_its_writer(tmp_path):
    archive = tmp_path / "archive"
    writer = ArchiveWriter(archive)
    writer.write(at(1, 0))
    writer.flush()
    shutil.rmtree(archive)
    ArchiveWriter(archive).close()
    writer.write(at(1, 1))
    with pytest.raises(RemovedError, match="was removed or replaced"):
        writer.flush()
    writer.close()
    assert archive_files(archive) == []


def test_a_file_that_is_finished_without_the_log_is_followed_by_another_and_has_no_manifest(
    tmp_path,
):
    writer = ArchiveWriter(tmp_path)
    writer.write(at(1, 0))
    writer.finish()
    writer.finish()
    writer.write(at(1, 1))
    writer.close()
    assert [(file.number, file.manifest) for file in archive_files(tmp_path)] == [
        (1, None),
        (2, None),
    ]


# There is no room.

FILL = """
import random, resource, sys
from pathlib import Path
from barograph.archive.writer import ArchiveWriter
from barograph.errors import DiskFullError
from barograph.types import Frame
from barograph.venues.entries import Dialect, Heard

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
writer = ArchiveWriter(Path(sys.argv[1]))
chance = random.Random(1)
flushed = 0
try:
    while True:
        for _ in range(20):
            frame = Frame(data=chance.randbytes(200).hex().encode(), connection="c")
            writer.write(Heard(frame, Dialect.EXCHANGE))
        writer.flush()
        flushed += 20
except DiskFullError as full:
    writer.close()
    print(flushed, full)
"""


@pytest.mark.slow
def test_where_there_is_no_room_everything_flushed_is_whole_and_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILL, tmp_path], capture_output=True, check=True, text=True
    )
    flushed, message = done.stdout.split(" ", 1)
    assert "is full (File too large): nothing was accepted after" in message
    assert "start again" in message
    frames, letters = datas(tmp_path)
    assert (len(frames), letters) == (int(flushed), [])
    assert int(flushed) > 0
    write(tmp_path, b"{}")
    assert datas(tmp_path)[0] == [*frames, b"{}"]


def test_a_directory_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "archive").write_bytes(b"a file")
    with pytest.raises(BadInputError, match="cannot be written"):
        ArchiveWriter(tmp_path / "archive")
