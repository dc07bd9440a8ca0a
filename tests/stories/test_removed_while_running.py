"""Files that somebody removes under a running feed: noticed, told, and recovered."""

import json
import shlex
from contextlib import closing

import pytest

from archive_contents import archive_end
from barograph.app.intake import feed_of
from barograph.app.settings import Settings
from barograph.archive.files import archive_files
from barograph.archive.joined import whole
from barograph.log import open_log
from barograph.log.topics import ensure_topics
from barograph.simulated.exchange import Exchange, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.venues.coinbase.machine import Coinbase
from log_contents import events, heard_again
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

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
    code, out, err = life.end()
    assert (code, err.count(b"\n")) == (2, 1)
    assert "removed while it was in use" in json.loads(out)["error"]
    assert b"log.sqlite was removed while it was in use" in err
    again = begun(exchange, tmp_path)
    until(lambda: not again.is_alive() or b"does not know" in again.warned())
    again.terminate()
    code, _, err = again.end()
    assert (code, b"1 file that this log does not know: stop, and `barograph" in err) == (0, True)
    code, _, err = Life("recover", "--home", tmp_path).end()
    assert (code, b"it has later events than those of 1 files" in err) == (2, True)
    words = shlex.split(err.decode().partition("(`barograph ")[2].partition("`)")[0])
    Life(*words).answer()
    with closing(open_log(words[-1])) as log:
        heard = list(Coinbase().hear(whole(tmp_path / "archive"), lambda _letter: None))
        assert sum(map(len, events(log).values())) == len(heard)
        for product in PRODUCTS:
            assert events(log)[product] == [each for each in heard if each.product == product]
    again = begun(exchange, tmp_path)
    until(lambda: not again.is_alive() or b"does not know" in again.warned())
    assert b"and the log has later events: `barograph recover --home " in again.warned()
    assert b"rebuilt-2.sqlite` makes one of all" in again.warned()
    again.terminate()
    assert again.end()[0] == 0


def test_a_removed_log_is_recovered_first_as_the_next_start_advises(life, tmp_path):
    life.terminate()
    assert life.end()[0] == 0
    remove_log(tmp_path)
    with closing(open_log(tmp_path)) as log:
        warned = []
        feed_of(Settings(home=tmp_path), log, warn=warned.append).close()
    words = shlex.split(warned[0].partition("`barograph ")[2].partition("`")[0])
    Life(*words).answer()
    with closing(open_log(tmp_path)) as log:
        assert events(log) == heard_again(tmp_path / "archive")
        feed_of(Settings(home=tmp_path), log, warn=warned.append).close()
    assert len(warned) == 1


def test_a_log_that_is_removed_ends_up_with_its_registry_stages_and_view(exchange, tmp_path):
    words = (
        "--venue", "simulated", "--url", f"ws://{exchange.address}", "--products", "BTC-USD",
        "--home", tmp_path, "--json",
    )  # fmt: skip
    up = Life("up", *words, BAROGRAPH_CLOCK_LIMIT_S="1e12")
    until(lambda: not up.is_alive() or archive_end(tmp_path / "archive").size > 2000)
    remove_log(tmp_path)
    code, out, err = up.end()
    lines = [line for line in err.splitlines() if b"removed while it was in use" in line]
    assert (code, len(lines)) == (2, 1), err.decode()
    assert "removed while it was in use" in json.loads(out)["error"]
    assert b"Traceback" not in err
    again = Life("up", *words, BAROGRAPH_CLOCK_LIMIT_S="1e12")
    until(lambda: not again.is_alive() or b"does not know" in again.warned())
    again.terminate()
    code, _, err = again.end()
    assert (code, b"1 file that this log does not know: stop, and `barograph" in err) == (0, True)


def test_an_archive_file_that_is_removed_is_reported_and_the_feed_goes_on(life, tmp_path):
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
