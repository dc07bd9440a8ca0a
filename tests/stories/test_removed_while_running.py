"""Files that somebody removes under a running feed: noticed, told, and recovered."""

from contextlib import closing

import pytest

from barograph.archive_files import archive_end, archive_files
from barograph.exchange import Exchange, running
from barograph.log import open_log
from barograph.log.topics import ensure_topics
from barograph.market import PRESETS
from barograph.simulator import SimulatedMarket
from barograph.sources import simulated
from hearing import events, heard_again
from lives import Life
from waiting import until

PRODUCTS = ("BTC-USD", "ETH-USD")


@pytest.fixture
def exchange():
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, 5, 1_750_000_000 * 10**9)
    with running(Exchange(simulated(market), speed=10.0)) as exchange:
        yield exchange


@pytest.fixture
def life(exchange, tmp_path):
    """A feed that has archived something."""
    life = begun(exchange, tmp_path)
    until(lambda: not life.is_alive() or archive_end(tmp_path / "archive").size > 2000)
    return life


def begun(exchange, home):
    return Life(
        "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}",
        "--products", ",".join(PRODUCTS), "--home", home, "--json",
        BAROGRAPH_CLOCK_LIMIT_S="1e12",
    )  # fmt: skip


def remove_log(home):
    for path in home.glob("log.sqlite*"):
        if path.is_file():
            path.unlink()


def test_a_log_that_is_removed_ends_the_feed_and_is_recovered(life, exchange, tmp_path):
    remove_log(tmp_path)
    code, out, err = life.end(60)
    assert (code, out, err.count(b"\n")) == (2, b"", 1)
    assert b"log.sqlite was removed while it was in use" in err
    again = begun(exchange, tmp_path)
    until(lambda: not again.is_alive() or b"does not know" in again.warned())
    again.terminate()
    code, _, err = again.end()
    assert (code, b"1 file that this log does not know: `barograph recover`" in err) == (0, True)
    remove_log(tmp_path)  # it has later events
    Life("recover", "--home", tmp_path).answer()
    with closing(open_log(tmp_path)) as log:
        assert events(log) == heard_again(tmp_path / "archive")
        assert events(log).keys() == set(PRODUCTS)


def test_an_archive_file_that_is_removed_is_told_and_the_feed_goes_on(life, tmp_path):
    (tmp_path / "archive" / "000001.ndjson.gz").unlink()
    until(lambda: not life.is_alive() or archive_end(tmp_path / "archive").file == 2)
    life.terminate()
    code, _, err = life.end()
    assert (code, err.count(b"\n")) == (0, 1)
    assert b"000001.ndjson.gz was removed or changed while it was written" in err
    (file,) = archive_files(tmp_path / "archive")
    assert file.manifest.frames > 0
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        assert events(log).keys() == set(PRODUCTS)
