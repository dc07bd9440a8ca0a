import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from barograph.errors import (
    BadInputError,
    CorruptLogError,
    DiskFullError,
    FencedError,
    OffsetGapError,
)
from barograph.log import Topic
from barograph.log.database import Database
from barograph.log.sqlite import SqliteLog
from barograph.types import NS_PER_S, Message, TopicPartition
from waiting import LIMIT_S, until

ONE = TopicPartition("ticks", 0)


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now_ns = 1_700_000_000 * NS_PER_S

    def __call__(self):
        return self.now_ns

    def advance(self, seconds):
        self.now_ns += round(seconds * NS_PER_S)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(log_path, clock):
    with closing(SqliteLog(log_path, lease_s=30, clock_ns=clock, lease_clock_ns=clock)) as each:
        each.create(Topic(name="ticks"))
        each.append(Message("ticks", "k", str(n).encode()) for n in range(10))
        yield each


def presence_files(path):
    return list(path.with_name("log.sqlite-members").iterdir())


def test_a_member_keeps_its_partitions_to_the_end_of_its_lease_and_not_longer(log, clock):
    first, second = log.join("g", ["ticks"]), log.join("g", ["ticks"])
    assert first.poll(10, 0).assigned
    clock.advance(30)
    assert not second.poll(10, 0).assigned
    clock.advance(0.001)
    assert second.poll(10, 0).assigned
    with pytest.raises(FencedError):
        first.commit()


def test_polls_and_commits_renew_the_lease(log, clock):
    first, second = log.join("g", ["ticks"]), log.join("g", ["ticks"])
    first.poll(10, 0)
    for renew in (first.commit, lambda: first.poll(10, 0)):
        clock.advance(29)
        renew()
        clock.advance(29)
        assert not second.poll(10, 0).assigned
        first.poll(10, 0)


def test_a_member_alone_is_never_overdue(log, clock):
    member = log.join("g", ["ticks"])
    member.poll(4, 0)
    clock.advance(86_400)
    member.commit()
    assert [r.value for r in member.poll(100, 0).records] == [b"4", b"5", b"6", b"7", b"8", b"9"]


def test_a_partition_with_polled_and_uncommitted_records_is_not_given_back(log):
    log.create(Topic(name="pair", partitions=2))
    log.append(Message("pair", f"k{n}", b"v") for n in range(20))
    first, second = log.join("g", ["pair"]), log.join("g", ["pair"])
    first.poll(100, 0)
    second.poll(100, 0)
    assert first.poll(100, 0).revoked == frozenset()
    assert second.poll(100, 0).assigned == {}
    first.commit()
    assert first.poll(100, 0).revoked == {TopicPartition("pair", 1)}
    assert list(second.poll(100, 0).assigned) == [TopicPartition("pair", 1)]


def test_the_first_poll_brings_partitions_and_records_together(log):
    batch = log.join("g", ["ticks"]).poll(100, 0)
    assert batch.assigned == {ONE: {}}
    assert len(batch.records) == 10


def test_each_change_of_owner_raises_the_epoch(log, log_path):
    for _ in range(3):
        member = log.join("g", ["ticks"])
        member.poll(1, 0)
        member.leave()
    with closing(Database(log_path, wait_s=1)) as database:
        [(_, owner, epoch)] = database.rows("claims", "g")
    assert (owner, epoch) == (None, 3)


def test_a_left_member_that_comes_back_cannot_commit_what_it_polled_before(log):
    member = log.join("g", ["ticks"])
    member.poll(5, 0)
    member.leave()
    with pytest.raises(FencedError, match="ticks/0"):
        member.commit()
    batch = member.poll(5, 0)
    assert batch.revoked == {ONE}
    assert batch.assigned == {ONE: {}}
    assert [r.value for r in batch.records] == [b"0", b"1", b"2", b"3", b"4"]


def test_members_of_a_group_read_the_same_topics(log):
    log.create(Topic(name="rows"))
    first, second = log.join("g", ["ticks"]), log.join("g", ["rows"])
    first.poll(1, 0)
    with pytest.raises(BadInputError, match="Use another group name"):
        second.poll(1, 0)
    first.leave()
    assert second.poll(1, 0).assigned == {TopicPartition("rows", 0): {}}


def test_members_that_left_leave_no_file_and_the_dead_ones_are_swept(log, log_path):
    member = log.join("g", ["ticks"])
    member.poll(1, 0)
    (log_path.with_name("log.sqlite-members") / "0123456789abcdef").touch()
    assert len(presence_files(log_path)) == 2
    other = log.join("g", ["ticks"])
    other.poll(1, 0)
    assert len(presence_files(log_path)) == 2
    member.leave()
    other.leave()
    assert presence_files(log_path) == []


def test_a_gap_met_in_a_poll_is_met_again_and_assignments_are_not_lost(log):
    member = log.join("g", ["ticks"])
    member.poll(1, 0)
    member.commit()
    member.leave()
    log.create(Topic(name="ticks", retention_bytes=3))
    log.retain()
    again = log.join("g", ["ticks"])
    for _ in range(2):
        with pytest.raises(OffsetGapError) as gap:
            again.poll(1, 0)
        assert (gap.value.asked, gap.value.oldest) == (1, 7)
    assert again._assigned == {ONE: {}}


def test_a_gap_in_one_topic_moves_the_position_in_no_other(log):
    log.create(Topic(name="rows"))
    log.append([Message("rows", "k", b"x"), Message("rows", "k", b"y")])
    member = log.join("g", ["rows", "ticks"])
    assert len(member.poll(1, 0).records) == 1  # of rows, which has less
    member.commit()
    member.leave()
    with closing(Database(log._path, wait_s=1)) as database, database.write():
        for place in (1, 2):
            database.change("take", "g", place, "test")
            database.change("advance", 1, "g", place, "test", 2)
        database.change("give_all", "test")
    log.create(Topic(name="ticks", retention_bytes=3))
    log.retain()
    again = log.join("g", ["rows", "ticks"])
    with pytest.raises(OffsetGapError):
        again.poll(10, 0)
    assert again.lag()[TopicPartition("rows", 0)] == 1


def test_a_commit_under_an_old_epoch_is_fenced(log):
    member = log.join("g", ["ticks"])
    member.poll(10, 0)
    with member._database.write():
        member._database.rows("take", "g", 1, member._presence.id)
    with pytest.raises(FencedError):
        member.commit()


def test_a_commit_that_found_no_room_can_be_tried_again(log):
    log.create(Topic(name="rows"))
    member = log.join("g", ["ticks"])
    member.poll(10, 0)
    connection = member._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    output = Message("rows", "k", bytes(100_000))
    with pytest.raises(DiskFullError):
        member.commit([output], {ONE: {"state": b"x"}})
    assert log.read("rows", 0, 0, 10) == []
    connection.execute("PRAGMA max_page_count = 1000000")
    member.commit([output], {ONE: {"state": b"x"}})
    assert [r.value for r in log.read("rows", 0, 0, 10)] == [output.value]


def test_what_is_passed_over_is_not_written_until_the_next_commit_or_the_end(log):
    member = log.join("g", ["ticks"])
    member.poll(4, 0)
    member.pass_over()
    assert log.positions("g", "ticks") == {}
    member.poll(2, 0)
    member.commit()
    assert log.positions("g", "ticks") == {0: 6}
    member.poll(3, 0)
    member.pass_over()
    member.poll(1, 0)
    member.leave()
    assert log.positions("g", "ticks") == {0: 9}


def test_what_is_passed_over_is_polled_again_after_a_death(log, clock):
    member = log.join("g", ["ticks"])
    member.poll(4, 0)
    member.pass_over()
    clock.advance(31)  # as if it had died
    heir = log.join("g", ["ticks"])
    assert [r.value for r in heir.poll(2, 0).records] == [b"0", b"1"]
    batch = member.poll(2, 0)
    assert batch.revoked == {ONE}
    member.commit()  # nothing of it was lost


def test_passing_over_what_went_to_another_is_fenced(log, clock):
    member = log.join("g", ["ticks"])
    member.poll(4, 0)
    clock.advance(31)
    log.join("g", ["ticks"]).poll(2, 0)
    member.poll(1, 0)
    with pytest.raises(FencedError, match="ticks/0"):
        member.pass_over()
    member.pass_over()


def test_an_even_part_of_the_limit_goes_to_each_partition_that_has_so_much(log):
    for name, count in (("few", 3), ("many", 50), ("more", 60)):
        log.create(Topic(name=name))
        log.append(Message(name, "k", b"v") for _ in range(count))
    member = log.join("g", ["few", "many", "more"])
    topics = [record.topic for record in member.poll(41, 0).records]
    assert {name: topics.count(name) for name in topics} == {"few": 3, "many": 19, "more": 19}


@pytest.mark.slow
def test_an_idle_member_hardly_works(log):
    member = log.join("g", ["ticks"])
    member.poll(100, 0)
    start_s = time.process_time()
    assert not member.poll(1, 0.5).records
    # 1 % on a quiet machine; the bound only tells waiting from spinning.
    assert time.process_time() - start_s < 0.25


def test_a_member_that_waits_hears_of_a_change_of_its_group(log, monkeypatch):
    """Though it looks at the group by itself only now and then."""
    monkeypatch.setattr("barograph.log.member._LOOK_ROUND_S", LIMIT_S)
    log.create(Topic(name="pair", partitions=2))
    first, second = log.join("g", ["pair"]), log.join("g", ["pair"])
    until(lambda: first.poll(10, 0.01) and len(first._held) == 2)
    until(lambda: not first._is_look_due() or first.poll(10, 0.01))
    second.poll(10, 0)
    assert first.poll(10, 0.01).revoked == {TopicPartition("pair", 1)}
    assert list(second.poll(10, 0.01).assigned) == [TopicPartition("pair", 1)]


def test_a_partition_that_is_owed_is_given_back_with_the_poll_after_the_commit(log, monkeypatch):
    monkeypatch.setattr("barograph.log.member._LOOK_ROUND_S", LIMIT_S)
    log.create(Topic(name="pair", partitions=2))
    log.append(Message("pair", f"k{n}", b"v") for n in range(20))
    first, second = log.join("g", ["pair"]), log.join("g", ["pair"])
    first.poll(100, 0.01)
    second.poll(100, 0)
    assert not first.poll(100, 0.01).revoked
    first.commit()
    assert first.poll(100, 0.01).revoked == {TopicPartition("pair", 1)}


def test_a_gap_behind_what_this_process_knows_is_met_in_a_poll_that_waits(log):
    member = log.join("g", ["ticks"])
    member.poll(1, 0)
    log.create(Topic(name="ticks", retention_bytes=3))
    log.retain()
    with pytest.raises(OffsetGapError) as gap:
        until(lambda: member.poll(1, 0.01).records)
    assert (gap.value.asked, gap.value.oldest) == (1, 7)


def test_records_that_are_waited_for_come_together_after_the_linger(log):
    with ThreadPoolExecutor(1) as pool:
        member = log.join("g", ["ticks"])
        member.poll(100, 0)
        polled = pool.submit(member.poll, 100, LIMIT_S, 0.2)
        until(lambda: log._arrivals._waiting)
        log.append([Message("ticks", "k", b"first")])
        until(lambda: not log._arrivals._waiting)  # it lingers
        log.append([Message("ticks", "k", b"second")])
        assert polled.result(LIMIT_S).records[0].value == b"first"
        rest = [] if len(polled.result().records) == 2 else member.poll(100, 0).records
        assert len([*polled.result().records, *rest]) == 2


DAMAGED = {
    "records are gone": ("DELETE FROM record WHERE slot & 1023 > 3", "offset 4 and all after it"),
    "a position is ahead": ("UPDATE claim SET position = 99", "offset 99 was read"),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGED.values(), ids=DAMAGED)
def test_what_a_damaged_log_lacks_is_not_waited_for(log, log_path, damage, why):
    log.append([Message("ticks", "k", b"2")] * 30)
    member = log.join("g", ["ticks"])
    member.poll(3, 0)
    member.commit()
    member.leave()
    with closing(sqlite3.connect(log_path)) as database:
        database.execute(damage)
        database.commit()
    polls = (member.poll(1, 0) for _ in range(99))
    with pytest.raises(CorruptLogError, match=why):
        list(polls)
