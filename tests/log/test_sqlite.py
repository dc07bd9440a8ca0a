import threading
from contextlib import closing

import pytest

from barograph.errors import LogUnavailableError
from barograph.log import Topic, open_log
from barograph.log.sqlite import SqliteLog
from barograph.types import APPENDED_TIME, NS_PER_S, Message


@pytest.fixture
def log(log_path):
    with closing(SqliteLog(log_path)) as each:
        each.create(Topic(name="ticks"))
        yield each


def message(n, size=0):
    return Message("ticks", "k", str(n).encode() + bytes(size))


def test_a_directory_and_a_url_open_the_same_log(log, log_path):
    log.append([message(1)])
    for address in (log_path.parent, str(log_path.parent), f"sqlite:///{log_path}"):
        with closing(open_log(address)) as other:
            assert [r.value for r in other.read("ticks", 0, 0, 10)] == [b"1"]


def test_offsets_of_the_embedded_log_have_no_holes(log):
    for n in range(5):
        log.append([message(n), message(n)])
    assert [r.offset for r in log.read("ticks", 0, 0, 100)] == list(range(10))


def test_a_compacted_topic_is_compacted_when_asked(log):
    log.create(Topic(name="states", compacted=True))
    log.append(Message("states", f"k{n % 3}", str(n).encode()) for n in range(10))
    assert log.retain() == 7
    assert [r.value for r in log.read("states", 0, 0, 10)] == [b"7", b"8", b"9"]
    assert log.retain() == 0


def test_age_and_append_time_go_by_the_clock_that_was_given(log_path):
    seconds = iter(range(100, 200))
    with closing(SqliteLog(log_path, clock_ns=lambda: next(seconds) * NS_PER_S)) as log:
        log.create(Topic(name="ticks", retention_s=3))
        for n in range(4):
            log.append([message(n)])  # at 100, 101, 102, 103
        assert log.retain() == 1  # at 104: of 101 and later all are kept
        records = log.read("ticks", 0, 1, 10)
        assert [int(r.headers[APPENDED_TIME]) for r in records] == [
            second * NS_PER_S for second in (101, 102, 103)
        ]


def test_retention_in_many_steps_removes_all_it_should(log):
    log.append(message(n % 10) for n in range(5000))
    log.create(Topic(name="ticks", retention_bytes=500))
    assert log.retain() == 4500
    [extent] = log.extents("ticks")
    assert (extent.oldest, extent.next) == (4500, 5000)
    log.append([message(7)])
    assert log.read("ticks", 0, 5000, 10)[0].value == b"7"


def test_offsets_go_on_when_retention_left_nothing(log):
    log.append([message(1), message(2)])
    log.create(Topic(name="ticks", retention_bytes=0))
    assert log.retain() == 2
    assert log.read("ticks", 0, 2, 10) == []
    log.append([message(3)])
    assert [r.offset for r in log.read("ticks", 0, 2, 10)] == [2]


def test_an_append_waits_for_another_writer_only_so_long(log, log_path):
    with (
        closing(SqliteLog(log_path, wait_s=0.05)) as hasty,
        log._database.write(),
        pytest.raises(LogUnavailableError),
    ):
        hasty.append([message(1)])
    assert log.read("ticks", 0, 0, 10) == []


def test_an_append_waits_for_another_writer_and_then_writes(log, log_path):
    with closing(SqliteLog(log_path)) as patient:
        with log._database.write():
            writer = threading.Thread(target=patient.append, args=([message(1)],))
            writer.start()
            assert log._database.rows("bounds", 1) == [(0, 0)]
        writer.join()
    assert len(log.read("ticks", 0, 0, 10)) == 1


def test_reading_and_polling_do_not_wait_for_a_writer(log, log_path):
    log.append([message(1)])
    with closing(SqliteLog(log_path, wait_s=0)) as reader:
        member = reader.join("g", ["ticks"])
        assert len(member.poll(10, 0).records) == 1
        member.commit()
        log.append([message(2)])
        with log._database.write():
            assert len(reader.read("ticks", 0, 0, 10)) == 2
            assert len(member.poll(10, 0).records) == 1


def test_an_iterable_that_uses_the_log_itself_is_fine(log):
    log.append([message(1), message(2)])
    log.append(Message("ticks", r.key, r.value * 2) for r in log.read("ticks", 0, 0, 10))
    assert [r.value for r in log.read("ticks", 0, 2, 10)] == [b"11", b"22"]


def test_an_iterable_that_fails_writes_nothing(log):
    def broken():
        yield message(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        log.append(broken())
    assert log.read("ticks", 0, 0, 10) == []
