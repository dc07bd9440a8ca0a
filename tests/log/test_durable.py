"""What was acknowledged is on the disk; who waits for it reads it before."""

import errno
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from barograph.errors import LogUnavailableError
from barograph.log import Topic, durable, open_log
from barograph.log.database import Database
from barograph.log.durable import durable_of, release
from barograph.types import Message, TopicPartition

LIMIT_S = 60
TICK = Message("ticks", "BTC-USD", b"1")
FIRST = TopicPartition("ticks", 0)


@pytest.fixture
def syncs(monkeypatch):
    """The files that were brought to the disk behind commits, by name."""
    names, sync = [], durable._sync

    def synced(file):
        names.append(Path(os.readlink(f"/proc/self/fd/{file}")).name)  # noqa: PTH115 - of a link
        sync(file)

    monkeypatch.setattr(durable, "_sync", synced)
    return names


@pytest.fixture
def log(log_path):
    with closing(open_log(log_path.parent)) as opened:
        opened.create(Topic(name="ticks"))
        yield opened


def test_each_write_brings_the_write_ahead_log_to_the_disk(log, syncs):
    log.append([TICK])
    assert syncs == ["log.sqlite-wal"]
    with closing(log.join("readers", ["ticks"])) as member:
        while not member.poll(10, 1.0).records:
            pass
        syncs.clear()
        member.commit([TICK])
    assert syncs


def test_a_record_is_read_before_it_is_on_the_disk_and_acknowledged_behind(log, monkeypatch):
    reaches, goes_on = threading.Event(), threading.Event()

    def stalled(_file):
        reaches.set()
        assert goes_on.wait(LIMIT_S)

    monkeypatch.setattr(durable, "_sync", stalled)
    appending = threading.Thread(target=log.append, args=([TICK],))
    with closing(log.follow({FIRST: 0})) as reader:
        appending.start()
        try:
            assert reaches.wait(LIMIT_S)
            assert [record.value for record in reader.take(10, LIMIT_S)] == [b"1"]
            assert appending.is_alive()
        finally:
            goes_on.set()
            appending.join(LIMIT_S)
    assert not appending.is_alive()


def test_one_sync_serves_all_that_were_committed_before_it(log_path, log, syncs):
    log.append([TICK])
    with closing(Database(log_path, 5.0)) as database, database.write():
        pass
    each = durable_of(log_path.with_name("log.sqlite-wal"))
    try:
        first, second = each.committed(), each.committed()
        syncs.clear()
        each.wait(second)
        each.wait(first)
        assert len(syncs) == 1
    finally:
        release(each)


def test_after_a_failed_sync_nothing_is_acknowledged_until_the_log_is_opened_again(
    log_path, monkeypatch
):
    def fails(_file):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with closing(open_log(log_path.parent)) as log:
        log.create(Topic(name="ticks"))
        with monkeypatch.context() as broken:
            broken.setattr(durable, "_sync", fails)
            with pytest.raises(LogUnavailableError, match="Input/output"):
                log.append([TICK])
        # The system takes what it could not write for written, and says so of the next sync.
        with pytest.raises(LogUnavailableError, match="Input/output"):
            log.append([TICK])
    with closing(open_log(log_path.parent)) as log:
        log.append([TICK])


def test_handles_of_one_file_share_what_is_closed_with_the_last(log_path, log):
    log.append([TICK])
    ahead = log_path.with_name("log.sqlite-wal")
    first, second = durable_of(ahead), durable_of(ahead)
    assert first is second
    release(second)
    release(first)
    log.append([TICK])
    log.close()
    assert not ahead.exists()
    with pytest.raises(FileNotFoundError):
        durable_of(ahead)
