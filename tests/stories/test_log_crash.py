"""Processes that die or sleep, on each log, and what it says afterwards."""

import contextlib
import os
import random
import shutil
import signal
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from barograph.log import Topic, open_log
from barograph.types import Message
from log_consumer import contents
from log_processes import Working, append, double, hold
from verb_processes import LIMIT_S
from waiting import until

pytestmark = pytest.mark.operations

KILLS = 20
NUMBERS = 3000
PARTITIONS = 3
PAGE_RECORDS = 10_000  # on Kafka each page is sought anew


def kill_after(process, words, seconds):
    """SIGKILL after so many words and some more time; returns all whole messages that it sent."""
    lines = [process.pipe.recv() for _ in range(words)]
    process.join(seconds)
    process.kill()
    return [*lines, *rest(process)]


def rest(process):
    """Wait for its end; returns the messages that it sent until then."""
    lines = []
    with contextlib.suppress(EOFError, OSError):
        while process.pipe.poll(LIMIT_S):
            lines.append(process.pipe.recv())
    process.join(LIMIT_S)
    return lines


def texts(log, topic):
    """The values of each partition."""
    return [
        [record.value.decode() for record in contents(log, topic, extent.partition, PAGE_RECORDS)]
        for extent in log.extents(topic)
    ]


@pytest.fixture
def rng():
    return random.Random(20251205)


@pytest.fixture
def numbered(address):
    """A log of NUMBERS numbers."""
    with closing(open_log(address)) as log:
        log.create(Topic(name="numbers", partitions=PARTITIONS))
        log.create(Topic(name="doubles", partitions=PARTITIONS))
        log.append(Message("numbers", f"k{n % 10}", str(n).encode()) for n in range(NUMBERS))
    return address


@pytest.fixture
def holder(numbered):
    """A process that has polled a record, holds all partitions and waits for a word."""
    process = Working(hold, numbered)
    assert process.pipe.recv() == "polled"
    return process


def doubled(log):
    """What the unkilled `double` makes of the log."""
    partitions = []
    for numbers in texts(log, "numbers"):
        total, lines = 0, []
        for number in map(int, numbers):
            total += number
            lines.append(f"{2 * number} {total}")
        partitions.append(lines)
    return partitions


def finish(address):
    process = Working(double, address)
    rest(process)
    assert process.exitcode == 0


def is_end_of_a_batch(count):
    end = 0
    while end < count:
        end += 1 + end % 23
    return end == count


def test_a_killed_producer_has_lost_nothing_that_was_acknowledged(address, rng):
    for _ in range(KILLS):
        words = kill_after(Working(append, address), rng.randrange(1, 60), rng.uniform(0, 0.002))
        with closing(open_log(address)) as log:
            log.producer_checkpoints("append")  # ends what the dead one left open
            [stored] = texts(log, "numbers")
        assert stored == [str(n) for n in range(len(stored))]
        assert len(stored) >= int(words[-1])
        assert is_end_of_a_batch(len(stored))
    assert len(stored) > KILLS


def test_a_killed_worker_leaves_the_outputs_of_one_that_never_was(numbered, rng):
    for _ in range(KILLS):
        kill_after(Working(double, numbered), rng.randrange(1, 16), rng.uniform(0, 0.002))
    with closing(open_log(numbered)) as log:
        assert 0 < sum(map(len, texts(log, "doubles"))) <= NUMBERS
    finish(numbered)
    with closing(open_log(numbered)) as log:
        assert texts(log, "doubles") == doubled(log)


def test_a_stopped_member_is_replaced_after_its_lease_and_wakes_to_a_fence(numbered, holder):
    os.kill(holder.pid, signal.SIGSTOP)
    with closing(open_log(numbered)) as log:
        heir = log.join("double", ["numbers"])

        def has_all():
            heir.poll(10, 0.1)
            heir.commit()
            return len(heir.lag()) == PARTITIONS

        until(has_all)
        os.kill(holder.pid, signal.SIGCONT)
        holder.pipe.send("go")
        assert holder.pipe.recv() == "fenced"
        holder.join(LIMIT_S)
        assert holder.exitcode == 0
        assert texts(log, "doubles") == [[]] * PARTITIONS


def test_a_killed_members_partitions_go_to_the_others(numbered, holder):
    with closing(open_log(numbered)) as log:
        heir = log.join("double", ["numbers"])
        heir.poll(10, 0)
        holder.kill()
        holder.join()
        until(lambda: heir.poll(10, 0.1) and (heir.commit() or len(heir.lag()) == PARTITIONS))


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_a_torn_last_write_leaves_a_log_that_ends_at_a_commit(numbered, rng, tmp_path):
    with closing(open_log(numbered)) as log:
        expected = doubled(log)
    home = Path(numbered)
    # It waits there: one that comes to its end puts all of its WAL into the database.
    kill_after(Working(partial(double, words=150), numbered), 150, 0)
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
        with closing(open_log(torn)) as log:
            outputs = texts(log, "doubles")
            positions = positions_of(log)
        for partition, output in enumerate(outputs):
            assert output == expected[partition][: len(output)]
            assert positions[partition] == len(output)
        lengths.add(sum(map(len, outputs)))
    assert len(lengths) > 5
    finish(torn)
    with closing(open_log(torn)) as log:
        assert texts(log, "doubles") == expected


def positions_of(log):
    """How far the group has come in each partition; asked through a member that changes nothing."""
    member = log.join("double", ["numbers"])
    batch = member.poll(0, 0)
    lag = member.lag()
    member.leave()
    assert len(batch.assigned) == PARTITIONS
    return [extent.next - lag["numbers", extent.partition] for extent in log.extents("numbers")]


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_a_killed_members_partitions_are_free_at_once_on_the_same_machine(numbered, holder):
    with closing(open_log(numbered, lease_s=3600)) as log:
        heir = log.join("double", ["numbers"])
        assert len(heir.poll(10, 0).assigned) <= PARTITIONS // 2
        holder.kill()
        holder.join()
        heir.commit()
        heir.poll(10, 0)
        assert len(heir.lag()) == PARTITIONS
