import gzip
import hashlib
import json
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.archive import ArchiveWriter, Standing
from barograph.archive_files import archive_end, archive_files, read_archive, read_file
from barograph.errors import BadInputError
from barograph.manifest import Manifest
from barograph.types import Fault, Heartbeat
from barograph.venues.entries import Answer, Closing, Dialect, Opening, Settlement
from written import datas, heard, write

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


def test_frames_whose_receipt_nobody_knows_go_where_the_others_are(tmp_path):
    writer = ArchiveWriter(tmp_path)
    for entry in (heard(b'{"n":0}'), at(3, 1), heard(b'{"n":2}'), at(4, 3), heard(b'{"n":4}')):
        writer.write(entry)
    writer.close()
    assert frames_of(tmp_path) == [[0, 1, 2], [3, 4]]


def beat(n):
    return [Heartbeat(product="B", event_time_ns=n)]


class KilledError(Exception):
    """Nothing of the process runs after it."""


class ToyFeed:
    """Writes numbered frames whose events are one heartbeat each; dies where it is told to.

    What its log has lies in `saved`: the standing, how many frames were taken. A `recording` is
    read again from there; what a live connection gave is gone.
    """

    def __init__(self, directory, saved, *, recording):
        self.saved = saved
        self.writer = ArchiveWriter(directory, file_bytes=200)
        if "standing" not in saved:
            self.next = 0
            self.commit()
            return
        standing = msgspec.json.decode(saved["standing"], type=Standing)
        tail = self.writer.recall(standing)
        self.next = saved["taken"]
        first = next(tail, None)
        if recording:
            self.writer.cut(standing)
        elif first is not None:
            self.heard(first)
            for entry in tail:
                self.heard(entry)
            self.commit()

    def heard(self, entry):
        n = json.loads(entry.frame.data)["n"]
        self.writer.note(beat(n), ())
        self.next = n + 1

    def take(self, hours):
        entry = at(hours, self.next)
        self.writer.write(entry)
        self.heard(entry)

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
        standing = msgspec.json.encode(self.writer.flush())
        if dies == "before the log":
            raise KilledError
        self.saved |= {"standing": standing, "taken": self.next}
        if dies == "after the log":
            raise KilledError
        self.writer.acknowledge()

    def die(self):
        self.writer._lock.close()


steps = st.lists(
    st.sampled_from(["take", "hour", "commit", "before the log", "after the log", "die", "close"]),
    max_size=40,
)


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
        found = Manifest()
        for entry in read_file(file.path):
            found.add(entry)
            found.note(beat(json.loads(entry.frame.data)["n"]))
        found.file, found.bytes = file.path.name, file.path.stat().st_size
        found.sha256 = hashlib.sha256(file.path.read_bytes()).hexdigest()
        assert file.manifest == found


def test_what_came_after_a_standing_can_be_removed(tmp_path):
    writer = ArchiveWriter(tmp_path)
    writer.write(heard(b"{}"))
    standing = writer.flush()
    writer.write(heard(b"[1]"))
    writer.close()
    write(tmp_path, b"[2]")
    writer = ArchiveWriter(tmp_path)
    writer.cut(standing)
    writer.write(heard(b"[3]"))
    writer.close()
    assert datas(tmp_path) == ([b"{}", b"[3]"], [])


def test_a_torn_end_is_recalled_as_one_letter_and_its_manifest_says_so(tmp_path):
    writer = ArchiveWriter(tmp_path)
    writer.write(at(1, 0))
    standing = writer.flush()
    writer.write(at(1, 1))
    writer.close()
    path = tmp_path / "000001.ndjson.gz"
    path.write_bytes(path.read_bytes()[:-3])
    writer = ArchiveWriter(tmp_path)
    *_, last = writer.recall(standing)
    assert last.fault is Fault.TRUNCATED
    writer.flush()
    writer.acknowledge()
    writer.close()
    (file,) = archive_files(tmp_path)
    assert file.manifest.unreadable == 1


def test_of_a_checkpoint_of_an_older_version_the_place_is_known_and_no_count(tmp_path):
    place = write(tmp_path, b'{"n":0}', b'{"n":1}')
    old = msgspec.json.encode(place)
    standing = msgspec.json.decode(old, type=Standing)
    assert (standing.place, standing.counts) == (place, None)
    writer = ArchiveWriter(tmp_path)
    assert list(writer.recall(standing)) == []
    writer.write(at(1, 2))
    writer.flush()
    writer.acknowledge()
    writer.close()
    first, second = archive_files(tmp_path)
    assert (first.manifest, first.is_open) == (None, False)
    assert second.manifest.frames == 1


def test_files_that_were_removed_leave_their_numbers(tmp_path):
    """A manifest outlives its file, so a later file is not taken for it."""
    writer = ArchiveWriter(tmp_path)
    writer.write(at(1, 0))
    standing = writer.flush()
    writer.acknowledge()
    writer.close()
    (tmp_path / "000001.ndjson.gz").unlink()
    writer = ArchiveWriter(tmp_path)
    assert list(writer.recall(standing)) == []
    writer.cut(standing)
    writer.write(at(1, 1))
    writer.close()
    first, second = archive_files(tmp_path)
    assert (first.number, first.there, first.manifest.frames) == (1, False, 1)
    assert (second.number, second.there) == (2, True)


# There is no room.

FILL = """
import random, resource, sys
from pathlib import Path
from barograph.archive import ArchiveWriter
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
