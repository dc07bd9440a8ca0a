"""A program that holds the log's write lock beside a recorder: a backup, a stalled disk."""

import fcntl
from contextlib import closing, contextmanager

import pytest

from archive_contents import archive_end, read_archive
from barograph.log import open_log
from barograph.log.topics import FEATURES
from barograph.simulated.exchange import Exchange, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.venues.entries import Heard
from log_contents import events, heard_again, values
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

AWAY = b"the log cannot be written ("
BACK = b"the log can be written again"


@pytest.fixture
def exchange():
    market = SimulatedMarket(PRESETS["market"], ("BTC-USD",), 5, 1_750_000_000 * 10**9)
    with running(Exchange(simulated(market), speed=10.0)) as exchange:
        yield exchange


def begun(verb, exchange, home):
    return Life(
        verb, "--venue", "simulated", "--url", f"ws://{exchange.address}",
        "--products", "BTC-USD", "--home", home, "--json",
        BAROGRAPH_CLOCK_LIMIT_S="1e12", BAROGRAPH_RETRAIN_EVERY_H="0",
    )  # fmt: skip


@contextmanager
def lock_held(home):
    with (home / "log.sqlite-locks" / "writer").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def frames(home):
    return sum(type(entry) is Heard for entry in read_archive(home / "archive"))


def grown(life, home, by=50):
    """Wait until so many more frames are archived."""
    wanted = frames(home) + by
    until(lambda: not life.is_alive() or frames(home) >= wanted)
    assert life.is_alive()


def begin(verb, exchange, home):
    life = begun(verb, exchange, home)
    until(lambda: not life.is_alive() or archive_end(home / "archive").size > 2000)
    return life


def all_is_in_the_log(home):
    with closing(open_log(home)) as log:
        assert events(log) == heard_again(home / "archive")
        return values(log, FEATURES)


def test_a_feed_goes_on_hearing_while_the_log_is_locked(exchange, tmp_path):
    life = begin("feed", exchange, tmp_path)
    with lock_held(tmp_path):
        until(lambda: not life.is_alive() or AWAY in life.warned())
        grown(life, tmp_path)
    until(lambda: not life.is_alive() or BACK in life.warned())
    grown(life, tmp_path)
    life.terminate()
    code, _, err = life.end()
    assert (code, err.count(AWAY), err.count(BACK)) == (0, 1, 1)
    all_is_in_the_log(tmp_path)


def test_a_feed_that_is_stopped_while_the_log_is_locked_is_taken_up_by_the_next(exchange, tmp_path):
    life = begin("feed", exchange, tmp_path)
    with lock_held(tmp_path):
        until(lambda: not life.is_alive() or AWAY in life.warned())
        grown(life, tmp_path)
        life.terminate()
        code, _, err = life.end()
        assert (code, b"the next start takes it up" in err) == (0, True)
    again = begun("feed", exchange, tmp_path)
    grown(again, tmp_path)
    again.terminate()
    assert again.end()[0] == 0
    all_is_in_the_log(tmp_path)


def test_up_and_its_stages_outlive_a_lock(exchange, tmp_path):
    life = begin("up", exchange, tmp_path)
    with lock_held(tmp_path):
        until(lambda: not life.is_alive() or AWAY in life.warned())
        grown(life, tmp_path)
    until(lambda: not life.is_alive() or BACK in life.warned())
    grown(life, tmp_path)
    life.terminate()
    code, _, err = life.end()
    assert (code, b"Traceback" in err) == (0, False)
    assert any(all_is_in_the_log(tmp_path).values())
