"""Who waits for records is woken by a commit of its own process, and sees those of others."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from barograph.log import Topic
from barograph.log.arrivals import _ALONE_LOOK_S, _LOOK_S, Arrivals, arrivals_of, release
from barograph.log.database import Database
from barograph.log.sqlite import SqliteLog
from barograph.types import Message, TopicPartition
from waiting import LIMIT_S, until

PLACES = {TopicPartition("ticks", 0): 0}


@pytest.fixture
def log(log_path):
    with closing(SqliteLog(log_path)) as each:
        each.create(Topic(name="ticks"))
        each.create(Topic(name="rows"))
        yield each


@pytest.fixture
def pool():
    with ThreadPoolExecutor() as each:
        yield each


@pytest.fixture
def blind(monkeypatch):
    """Nothing sees what other processes write."""
    monkeypatch.setattr("barograph.log.arrivals.Arrivals._watch", lambda _self: None)


@pytest.fixture
def patient(monkeypatch):
    """Neither a reader nor a member looks by itself within a test's time."""
    monkeypatch.setattr("barograph.log.reader._LOOK_S", LIMIT_S)
    monkeypatch.setattr("barograph.log.member._LOOK_ROUND_S", LIMIT_S)


def someone_waits(log):
    until(lambda: log._arrivals._waiting)


def write_elsewhere(path, topic):
    """One record, written by a process of its own."""
    source = (
        "import sys; from barograph.log import open_log; from barograph.types import Message\n"
        "open_log('sqlite:///' + sys.argv[1]).append([Message(sys.argv[2], 'k', b'v')])"
    )
    subprocess.run([sys.executable, "-c", source, str(path), topic], check=True)


@pytest.mark.usefixtures("blind", "patient")
def test_a_commit_wakes_a_reader_of_the_same_process(log, log_path, pool):
    with closing(SqliteLog(log_path)) as other, closing(other.follow(PLACES)) as reader:
        taken = pool.submit(reader.take, 10, LIMIT_S)
        someone_waits(log)
        log.append([Message("ticks", "k", b"v")])
        assert [record.value for record in taken.result(LIMIT_S / 2)] == [b"v"]


@pytest.mark.usefixtures("blind", "patient")
def test_a_members_commit_wakes_the_member_behind_it(log, log_path, pool):
    with closing(SqliteLog(log_path)) as other:
        first, second = log.join("first", ["ticks"]), other.join("second", ["rows"])
        first.poll(1, 0)
        second.poll(1, 0)
        batch = pool.submit(second.poll, 10, LIMIT_S)
        someone_waits(log)
        log.append([Message("ticks", "k", b"v")])
        first.poll(10, 0)
        first.commit([Message("rows", "k", b"row")])
        assert [record.value for record in batch.result(LIMIT_S / 2).records] == [b"row"]


@pytest.mark.usefixtures("patient")
@pytest.mark.slow
def test_what_another_process_wrote_is_seen(log, log_path, pool):
    with closing(log.follow(PLACES)) as reader:
        taken = pool.submit(reader.take, 10, LIMIT_S)
        someone_waits(log)
        write_elsewhere(log_path, "ticks")
        assert [record.value for record in taken.result(LIMIT_S / 2)] == [b"v"]


@pytest.mark.usefixtures("patient")
def test_what_a_connection_without_a_log_wrote_is_seen(log, log_path, pool):
    with (
        closing(log.follow(PLACES)) as reader,
        closing(Database(log_path, wait_s=5)) as writer,
    ):
        taken = pool.submit(reader.take, 10, LIMIT_S)
        someone_waits(log)
        with writer.write():
            writer.change("add_record", 1 << 40, "k", b"v", None, 1)
            writer.change("grow", 1, 1, 1)
        assert [record.value for record in taken.result(LIMIT_S / 2)] == [b"v"]


@pytest.mark.usefixtures("blind")
def test_records_of_other_topics_wake_nobody(log, pool):
    arrivals = log._arrivals
    waiting = pool.submit(arrivals.wait, {1: 0}, LIMIT_S)
    someone_waits(log)
    (waiter,) = arrivals._waiting
    log.append([Message("rows", "k", b"v")])
    assert not waiter.bell.is_set()
    log.append([Message("ticks", "k", b"v")])
    waiting.result(LIMIT_S / 2)
    assert waiter.bell.is_set()


@pytest.mark.usefixtures("blind")
def test_a_record_that_came_before_the_wait_is_not_waited_for(log):
    log.append([Message("ticks", "k", b"v")])
    started_s = time.monotonic()
    log._arrivals.wait({1: 0}, LIMIT_S)
    assert time.monotonic() - started_s < LIMIT_S / 2


@pytest.mark.usefixtures("blind")
def test_what_is_known_to_reach_further_can_be_asked_for(log):
    arrivals = log._arrivals
    log.append([Message("ticks", "k", b"v")] * 3)
    assert arrivals.beyond({1: 2, 2: 0}) == {1: 3}
    arrivals.know({1: 1, 2: 7})
    assert arrivals.beyond({1: 2, 2: 0}) == {1: 3, 2: 7}
    assert arrivals.beyond({1: 3, 2: 7}) == {}


@pytest.mark.usefixtures("blind")
def test_who_never_waits_sees_what_this_process_does_not_know(log, log_path):
    """A partition that is always full, and one that somebody else writes."""
    both = {**PLACES, TopicPartition("rows", 0): 0}
    with closing(log.follow(both)) as reader, closing(Database(log_path, wait_s=5)) as writer:
        with writer.write():
            writer.change("add_record", 2 << 40, "k", b"elsewhere", None, 1)
            writer.change("grow", 1, 1, 2)

        def taken():
            log.append([Message("ticks", "k", b"v")])
            return [record.value for record in reader.take(10, 0.01)]

        until(lambda: b"elsewhere" in taken())


@pytest.fixture
def looks(monkeypatch):
    """How long the thread pauses between two looks."""
    pauses = []
    pause = Arrivals._pause

    def noted(self, seconds):
        pauses.append(seconds)
        return pause(self, min(seconds, 0.005))

    monkeypatch.setattr(Arrivals, "_pause", noted)
    monkeypatch.setattr("barograph.log.arrivals._ALONE_AFTER_S", 0.2)
    monkeypatch.setattr("barograph.log.arrivals._JUDGE_S", 0.05)
    return pauses


def test_the_file_is_looked_at_less_where_this_process_alone_writes(log, pool, looks):
    arrivals = log._arrivals
    waiting = pool.submit(arrivals.wait, {2: 0}, LIMIT_S)

    def written():
        log.append([Message("ticks", "k", b"v")])
        return looks[-1:] == [_ALONE_LOOK_S]

    until(written)
    log.append([Message("rows", "k", b"v")])
    waiting.result(LIMIT_S)


def test_the_file_is_looked_at_often_while_others_write(log, log_path, pool, looks):
    arrivals = log._arrivals
    waiting = pool.submit(arrivals.wait, {2: 0}, LIMIT_S)
    until(lambda: looks[-1:] == [_ALONE_LOOK_S])
    before = len(looks)
    with closing(Database(log_path, wait_s=5)) as writer, writer.write():
        writer.change("add_record", 1 << 40, "k", b"v", None, 1)
        writer.change("grow", 1, 1, 1)
    until(lambda: _LOOK_S in looks[before:])
    log.append([Message("rows", "k", b"v")])
    waiting.result(LIMIT_S)


def test_a_wait_for_nothing_ends_with_its_limit(log):
    started_s = time.monotonic()
    log._arrivals.wait({1: 0}, 0.05)
    assert time.monotonic() - started_s >= 0.05
    assert not log._arrivals._waiting


def test_a_file_that_became_shorter_is_not_looked_at_without_pause(log, pool):
    """As where a copy of before was put in its place."""
    arrivals = log._arrivals
    arrivals.grew({1: 5})
    pool.submit(arrivals.wait, {2: 0}, LIMIT_S)
    until(lambda: arrivals._ends.get(1) == 0)
    log.append([Message("rows", "k", b"v")])


def test_the_thread_ends_with_the_last_handle(log_path):
    before = set(threading.enumerate())

    def watching():
        return [each for each in threading.enumerate() if each.name == "log-watch"]

    with closing(SqliteLog(log_path)) as log, closing(SqliteLog(log_path)) as other:
        log.create(Topic(name="ticks"))
        assert log._arrivals is other._arrivals
        log._arrivals.wait({1: 0}, 0.001)
        assert set(watching()) - before
        log.close()
        assert set(watching()) - before
    assert not set(watching()) - before


def test_each_file_has_arrivals_of_its_own(tmp_path):
    paths = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for path in paths:
        path.touch()
    one, two = map(arrivals_of, paths)
    link = tmp_path / "link.sqlite"
    link.symlink_to(paths[0])
    again = arrivals_of(link)
    assert one is again
    assert one is not two
    for each in (one, two, again):
        release(each)


def test_who_waits_for_a_log_that_cannot_be_read_is_not_woken_in_a_loop(log, monkeypatch):
    def unreadable(*_):
        raise OSError("no")

    monkeypatch.setattr("barograph.log.arrivals.Database", unreadable)
    started_s = time.monotonic()
    for _ in range(3):
        log._arrivals.wait({1: 0}, 0.02)
    assert time.monotonic() - started_s >= 0.06
