"""Where the logs under test live: one parameter for each implementation."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from barograph.log import Log, Topic
from barograph.log.sqlite import SqliteLog

LOGS = ["sqlite", pytest.param("kafka", marks=pytest.mark.slow)]


@pytest.fixture(params=LOGS)
def open_again(request, tmp_path) -> Iterator[Callable[..., Log]]:
    """Opens one more handle on this test's log, as another process would.

    `lease_s`: after how long without a poll a living member may be replaced.
    """
    handles: list[Log] = []
    opens = {"sqlite": open_sqlite, "kafka": open_kafka}[request.param](request, tmp_path)

    def handle(*, lease_s: float = 30.0) -> Log:
        handles.append(opens(lease_s))
        return handles[-1]

    yield handle
    for each in handles:
        each.close()


def open_sqlite(_request, folder):
    return lambda lease_s: SqliteLog(folder / "log.sqlite", lease_s=lease_s)


def open_kafka(request, _folder):
    """A namespace for each test on one cluster."""
    from barograph.log.kafka import KafkaLog  # noqa: PLC0415 - an extra

    address = f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"
    return lambda lease_s: KafkaLog(address, lease_s=lease_s)


@pytest.fixture
def log(open_again) -> Log:
    """The first handle on this test's log."""
    return open_again()


@pytest.fixture
def ticks(log) -> Log:
    """A log with the topic `ticks` of one partition."""
    log.create(Topic(name="ticks"))
    return log


@pytest.fixture
def log_path(tmp_path) -> Path:
    """The file of an SQLite log that does not exist yet."""
    return tmp_path / "home" / "log.sqlite"
