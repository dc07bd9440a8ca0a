"""Processes that die, sleep or lose the end of the file, and what the log says afterwards."""

import contextlib
import random
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from barograph.log import Topic
from barograph.log.sqlite import SqliteLog
from barograph.types import Message

PROGRAM = Path(__file__).with_name("log_processes.py")
KILLS = 20
NUMBERS = 3000
PARTITIONS = 3


def log_at(home, lease_s=30.0):
    return SqliteLog(home / "log.sqlite", lease_s=lease_s)


def start(task, home):
    return subprocess.Popen(
        [sys.executable, PROGRAM, task, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def kill_after(process, words, seconds):
    """SIGKILL after so many words and some more time; returns all whole words that it said."""
    said = [process.stdout.readline() for _ in range(words)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    process.kill()
    rest, _ = process.communicate()
    return [line.decode() for line in b"".join([*said, rest]).split(b"\n")[:-1]]


def contents(log, topic):
    return [
        [
            record.value.decode()
            for record in log.read(topic, extent.partition, extent.oldest, 10**6)
        ]
        for extent in log.extents(topic)
    ]


@pytest.fixture
def rng():
    return random.Random(20251205)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A log of NUMBERS numbers, closed, and what the unkilled `double` makes of it."""
    home = tmp_path_factory.mktemp("prepared")
    with closing(log_at(home)) as log:
        log.create(Topic(name="numbers", partitions=PARTITIONS))
        log.create(Topic(name="doubles", partitions=PARTITIONS))
        log.append(Message("numbers", f"k{n % 10}", str(n).encode()) for n in range(NUMBERS))
    reference = tmp_path_factory.mktemp("reference")
    shutil.copy(home / "log.sqlite", reference)
    finish(reference)
    with closing(log_at(reference)) as log:
        return home, contents(log, "doubles")


@pytest.fixture
def home(prepared, tmp_path):
    shutil.copy(prepared[0] / "log.sqlite", tmp_path)
    return tmp_path


@pytest.fixture
def holder(home):
    """A process that has polled a record, holds all partitions and waits for a word."""
    process = start("hold", home)
    assert process.stdout.readline() == b"polled\n"
    yield process
    process.kill()
    process.communicate()


def finish(home):
    process = start("double", home)
    process.communicate(timeout=60)
    assert process.returncode == 0


def is_end_of_a_batch(count):
    end = 0
    while end < count:
        end += 1 + end % 23
    return end == count


def test_a_killed_producer_has_lost_nothing_that_was_acknowledged(tmp_path, rng):
    for _ in range(KILLS):
        words = kill_after(start("append", tmp_path), rng.randrange(1, 60), rng.uniform(0, 0.002))
        with closing(log_at(tmp_path)) as log:
            [found] = contents(log, "numbers")
        assert found == [str(n) for n in range(len(found))]
        assert len(found) >= int(words[-1])
        assert is_end_of_a_batch(len(found))
    assert len(found) > KILLS


def test_a_killed_worker_leaves_the_outputs_of_one_that_never_was(home, prepared, rng):
    for _ in range(KILLS):
        kill_after(start("double", home), rng.randrange(1, 16), rng.uniform(0, 0.002))
    with closing(log_at(home)) as log:
        assert 0 < sum(map(len, contents(log, "doubles"))) < NUMBERS
    finish(home)
    with closing(log_at(home)) as log:
        assert contents(log, "doubles") == prepared[1]


def test_a_torn_last_write_leaves_a_log_that_ends_at_a_commit(home, prepared, rng, tmp_path):
    kill_after(start("double", home), 150, 0)
    wal = (home / "log.sqlite-wal").read_bytes()
    lengths = set()
    for n in range(24):
        torn = tmp_path / f"torn-{n}"
        torn.mkdir()
        shutil.copy(home / "log.sqlite", torn)
        # Half of the cuts in the last pages, half anywhere, the header among them.
        keep = rng.randrange(len(wal) - 12_000, len(wal)) if n % 2 else rng.randrange(len(wal))
        tail = rng.randbytes(len(wal) - keep) if n % 3 else b""
        (torn / "log.sqlite-wal").write_bytes(wal[:keep] + tail)
        with closing(log_at(torn)) as log:
            outputs = contents(log, "doubles")
            positions = positions_of(log)
        for partition, found in enumerate(outputs):
            assert found == prepared[1][partition][: len(found)]
            assert positions[partition] == len(found)
        lengths.add(sum(map(len, outputs)))
    assert len(lengths) > 5
    finish(torn)
    with closing(log_at(torn)) as log:
        assert contents(log, "doubles") == prepared[1]


def positions_of(log):
    """How far the group has come in each partition; asked through a member that changes nothing."""
    member = log.join("double", ["numbers"])
    batch = member.poll(0, 0)
    lag = member.lag()
    member.leave()
    assert len(batch.assigned) == PARTITIONS
    return [extent.next - lag["numbers", extent.partition] for extent in log.extents("numbers")]


def test_a_killed_members_partitions_are_free_at_once(home, holder):
    with closing(log_at(home, lease_s=3600)) as log:
        heir = log.join("double", ["numbers"])
        assert len(heir.poll(10, 0).assigned) <= PARTITIONS // 2
        holder.kill()
        holder.wait()
        heir.commit()
        heir.poll(10, 0)
        assert len(heir.lag()) == PARTITIONS


def test_a_stopped_member_is_replaced_after_its_lease_and_wakes_to_a_fence(home, holder):
    holder.send_signal(signal.SIGSTOP)
    with closing(log_at(home)) as log:
        heir = log.join("double", ["numbers"])
        for _ in range(100):
            heir.poll(10, 0.1)
            heir.commit()
            if len(heir.lag()) == PARTITIONS:
                break
        assert len(heir.lag()) == PARTITIONS
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write(b"go\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"fenced\n"
        assert holder.wait(timeout=60) == 0
        assert contents(log, "doubles") == [[]] * PARTITIONS
