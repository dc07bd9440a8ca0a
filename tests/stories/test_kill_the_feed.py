"""`barograph feed` is killed at fifty random moments under load; what it said it had, is there."""

import random
import threading
import time
from collections import Counter
from contextlib import closing

import msgspec
import pytest

from archive_contents import archive_end
from barograph.archive.files import archive_files
from barograph.archive.writer import ArchivePosition
from barograph.codec import decode_event
from barograph.feed.feed import PRODUCER
from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, TICKS, ensure_topics
from barograph.simulated.exchange import Exchange, Terms, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import Source
from barograph.types import Gap, GapCause, Tick
from barograph.venues.entries import Dialect
from fault_accounts import nothing_invented, nothing_lost_by_ids
from log_contents import events, heard_again, letters
from verb_processes import Life
from waiting import until

KILLS = 50
LIMIT_S = 240.0
PRODUCTS = ("BTC-USD", "ETH-USD")
BUSY = PRESETS["constant"]._replace(order_rate_per_s=300.0)


@pytest.fixture
def over():
    """Set when the market shall end."""
    return threading.Event()


@pytest.fixture
def exchange(over):
    market = SimulatedMarket(BUSY, PRODUCTS, 9, 1_750_000_000 * 10**9)

    def trading():
        while not over.is_set():
            yield from market.events(1)

    source = Source(market.products, market.now_ns, trading())
    with running(Exchange(source, terms=Terms(wait_for_reader=True))) as exchange:
        yield exchange


class Reader:
    """Reads a log along while others write it; what it has `seen` was acknowledged."""

    def __init__(self, log):
        self.log = log
        self.seen = {
            (topic, extent.partition): []
            for topic in (TICKS, DEAD_LETTERS)
            for extent in log.extents(topic)
        }

    def look(self):
        for place, seen in self.seen.items():
            seen.extend(self.log.read(*place, len(seen), 10**6))

    def finds_it_again(self):
        """Whether all of it stands there still: offsets, bytes, and when it was appended."""
        return all(self.log.read(*at, 0, len(seen)) == seen for at, seen in self.seen.items())

    def archived(self):
        """Where the archive ends as far as the log knows."""
        known = self.log.producer_checkpoints(PRODUCER, take=False).get("archive")
        return msgspec.json.decode(known or b"{}", type=ArchivePosition).place

    def sees_the_last_of(self, exchange):
        self.look()
        newest = [
            decode_event(record.value)
            for (topic, _), seen in self.seen.items()
            for record in seen[-50:]
            if topic == TICKS
        ]
        last = {(event.product, event.trade_id) for event in newest if type(event) is Tick}
        made = exchange.ledger.products
        return last >= {(product, each.last_trade_id) for product, each in made.items()}


def feed(exchange, home, **environment):
    """The command, begun."""
    return Life(
        "feed", "--venue", "simulated", "--url", f"ws://{exchange.address}",
        "--products", ",".join(PRODUCTS), "--home", home, **environment,
    )  # fmt: skip


def kill_after(life, seconds, reader):
    ends_s = time.monotonic() + seconds
    while (left_s := ends_s - time.monotonic()) > 0:
        reader.look()
        life.join(min(left_s, 0.01))
    assert life.kill(), "it was at work"


@pytest.mark.operations
def test_fifty_kills_lose_nothing_that_was_acknowledged(exchange, over, tmp_path):
    archive, chance = tmp_path / "archive", random.Random(50)
    with closing(open_log(tmp_path)) as log:
        ensure_topics(log)
        reader, ends, ahead = Reader(log), [archive_end(archive)], 0
        for _ in range(KILLS):
            life = feed(exchange, tmp_path)
            until(lambda: archive_end(archive) > ends[-1], LIMIT_S)
            kill_after(life, chance.uniform(0.002, 0.5), reader)
            ends.append(archive_end(archive))
            ahead += ends[-1] > reader.archived()
        assert ahead, "some died between archive and log"
        live_out(exchange, over, reader, tmp_path)
        assert reader.finds_it_again()
        logged = events(log)
        assert not letters(log)
    sizes = {file.number: file.path.stat().st_size for file in archive_files(archive)}
    assert all(sizes[end.file] == end.size for end in ends[1:]), "what was archived stays"
    assert heard_again(archive) == logged
    assert logged.keys() == set(PRODUCTS)
    for product, of_product in logged.items():
        made = exchange.ledger.trades[product]
        nothing_invented(of_product, made, Dialect.EXCHANGE)
        nothing_lost_by_ids(of_product, made)
        gaps = [event for event in of_product if type(event) is Gap]
        assert {gap.cause for gap in gaps} == {GapCause.DISCONNECT}
        assert set(Counter(gap.connection for gap in gaps).values()) == {1}, "no start writes two"
        assert len(gaps) <= KILLS


def live_out(exchange, over, reader, home):
    """The last life goes on until the market ends, and then it is told to stop."""
    lives = len(exchange.ledger.connections)
    # The market's times are of another year.
    life = feed(exchange, home, BAROGRAPH_CLOCK_LIMIT_S="1e12")

    def see(condition):
        until(lambda: not life.is_alive() or condition(), LIMIT_S)

    see(lambda: len(exchange.ledger.connections) > lives)
    over.set()
    see(lambda: exchange.ended)
    see(lambda: reader.sees_the_last_of(exchange))
    life.terminate()
    code, _, err = life.end()
    assert (code, err) == (0, b"")
