import pytest

from barograph.archive.inventory import inspect, inventory
from barograph.archive.writer import ArchiveWriter
from barograph.errors import BadInputError
from barograph.types import DeadLetter, Fault, Frame, Gap, GapCause, Tick
from barograph.venues.entries import Dialect, Heard

NS = 10**9
GAP = Gap(product="B", start_ns=0, end_ns=9, cause=GapCause.SILENCE)
LETTER = DeadLetter(fault=Fault.NOT_JSON, detail="", source="c", position="1", key="", original=b"")


def write(directory, number, *, ends=True):
    """A file with so many frames; left open as by a kill unless it `ends`."""
    writer = ArchiveWriter(directory)
    for n in range(number):
        frame = Frame(data=b'{"n":%d}' % n, connection="c", receive_time_ns=n * NS)
        writer.write(Heard(frame, Dialect.EXCHANGE))
        tick = Tick(product="B", event_time_ns=n, price="1", bid="1", ask="1")
        writer.note([GAP, tick] if n == 1 else [tick], [LETTER] if n == 2 else [])
    writer.flush()
    if ends:
        writer.acknowledge()
    writer.close()
    return directory / "000001.ndjson.gz"


@pytest.fixture
def archive(tmp_path):
    """Three files: two that ended, one that a feed may still take up."""
    write(tmp_path, 3)
    write(tmp_path, 4)
    write(tmp_path, 2, ends=False)
    return tmp_path


def test_the_list_says_what_each_file_holds_and_what_all_do(archive):
    listing = inventory(archive)
    assert [file.state for file in listing.files] == ["finished", "finished", "open"]
    assert [file.manifest.frames for file in listing.files[:2]] == [3, 4]
    assert (listing.frames, listing.ticks, listing.gaps) == (7, 7, {"silence": 2})
    assert listing.dead_letters == {"not_json": 2}
    sizes = [path.stat().st_size for path in sorted(archive.glob("*.gz"))]
    assert [file.bytes for file in listing.files] == sizes
    assert listing.bytes == sum(sizes)


def test_files_of_an_older_version_and_removed_ones_are_distinguished(archive):
    (archive / "000001.manifest.json").unlink()
    (archive / "000002.ndjson.gz").unlink()
    states = [file.state for file in inventory(archive).files]
    assert states == ["uncounted", "removed", "open"]


def test_an_archive_that_nobody_touched_is_sound(archive):
    inspection = inspect(archive)
    assert (inspection.sound, inspection.finished, inspection.lines) == (True, 2, 9)
    assert inspection.without_manifest == ["000003.ndjson.gz"]


@pytest.mark.parametrize("place", [0, 10, 40, -1])
def test_a_flipped_bit_is_found_wherever_it_is(archive, place):
    path = archive / "000002.ndjson.gz"
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    (damage,) = inspect(archive).damaged
    assert damage.file == "000002.ndjson.gz"
    assert damage.why.startswith("its manifest says")


def test_a_file_that_was_cut_short_is_found(archive):
    path = archive / "000001.ndjson.gz"
    path.write_bytes(path.read_bytes()[:-5])
    assert [damage.file for damage in inspect(archive).damaged] == [path.name]


def test_an_end_that_is_being_written_is_no_damage_and_one_in_the_middle_is(archive):
    path = archive / "000003.ndjson.gz"
    path.write_bytes(path.read_bytes()[:-5])
    assert inspect(archive).sound
    write(archive, 1)
    (damage,) = inspect(archive).damaged
    assert damage.file == path.name
    assert "ends early" in damage.why


def test_a_file_that_is_gone_is_missed_unless_it_was_compacted(archive):
    digest = inventory(archive).files[0].manifest.sha256
    (archive / "000001.ndjson.gz").unlink()
    (damage,) = inspect(archive).damaged
    assert "it is gone" in damage.why
    inspection = inspect(archive, compacted={digest})
    assert (inspection.sound, inspection.removed) == (True, ["000001.ndjson.gz"])


def test_a_missing_archive_is_reported(tmp_path):
    for look in (inventory, inspect):
        with pytest.raises(BadInputError, match="there is no archive"):
            look(tmp_path / "none")


def test_a_removed_file_is_sound_where_it_was_compacted_or_pushed(archive):
    digest = inventory(archive).files[0].manifest.sha256
    (archive / "000001.ndjson.gz").unlink()
    (damage,) = inspect(archive).damaged
    assert damage.why == "it is gone, and was neither compacted nor pushed"
    by_lake, by_store = inspect(archive, compacted={digest}), inspect(archive, pushed={digest})
    assert (by_lake.removed, by_lake.pushed) == (["000001.ndjson.gz"], [])
    assert (by_store.removed, by_store.pushed) == (["000001.ndjson.gz"], ["000001.ndjson.gz"])
    assert (by_lake.sound, by_store.sound) == (True, True)
