"""Where the logs under test live: one parameter for each implementation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from barograph.log import Log, Topic
from barograph.log.sqlite import SqliteLog


@pytest.fixture(params=["sqlite"])
def open_again(request, tmp_path) -> Iterator[Callable[..., Log]]:
    """Opens one more handle on this test's log, as another process would.

    `lease_s`: after how long without a poll a living member may be replaced.
    """
    assert request.param == "sqlite"
    handles: list[Log] = []

    def handle(*, lease_s: float = 30.0) -> Log:
        handles.append(SqliteLog(tmp_path / "log.sqlite", lease_s=lease_s))
        return handles[-1]

    yield handle
    for each in handles:
        each.close()


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
