"""`barograph replay` is killed at random moments and started again; nobody can tell afterwards."""

import random
from pathlib import Path

import pytest

from archive_contents import read_archive
from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, TICKS, ensure_topics
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.venues.entries import Heard
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

KILLS = 50
START_NS = 1_750_000_000 * 10**9


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Forty minutes of two products, as a recording with heartbeats and a few bad lines."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 7, START_NS)
    lines = [frame.data for frame in market.advance(2400)]
    for place in (100, 5000, 9000):
        lines.insert(place, b'{"type":"ticker","product_id":"BTC-USD","price":"NaN"}')
    path = tmp_path_factory.mktemp("recording") / "market.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def start(recording, home, speed="max"):
    # Small batches, so that there are many moments to be killed in.
    words = ("replay", recording, "--home", home, "--speed", speed, "--json")
    return Life(*words, BAROGRAPH_BATCH_RECORDS="64")


def written(home):
    log = open_log(home)
    records = {
        topic: [
            (record.partition, record.key, record.value)
            for extent in log.extents(topic)
            for record in log.read(topic, extent.partition, extent.oldest, 10**6)
        ]
        for topic in (TICKS, FEATURES, PREDICTIONS, DEAD_LETTERS)
    }
    log.close()
    frames = [
        entry.frame for entry in read_archive(Path(home) / "archive") if isinstance(entry, Heard)
    ]
    return records, frames


class Progress:
    """How many records a home's log holds, for as long as a process lives."""

    def __init__(self, home):
        self.log = open_log(home)
        ensure_topics(self.log)

    def now(self):
        return sum(
            extent.next
            for topic in (TICKS, FEATURES, PREDICTIONS)
            for extent in self.log.extents(topic)
        )

    def reaches(self, target, life):
        """Wait until so much is written or the life has ended by itself."""
        until(lambda: not life.is_alive() or self.now() >= target, pause_s=0.005)


def test_fifty_kills_leave_the_same_bytes_as_none(recording, tmp_path):
    start(recording, tmp_path / "lives").answer()
    expected, expected_frames = written(tmp_path / "lives")
    assert len(expected[TICKS]) > 15_000
    assert len(expected[DEAD_LETTERS]) == 3

    home, chance = tmp_path / "dies", random.Random(20)
    home.mkdir()
    progress = Progress(home)
    steps = sum(len(records) for records in expected.values()) // KILLS
    killed_at_work = 0
    for _ in range(KILLS):
        target = progress.now() + 1 + chance.randrange(2 * steps)
        # Stages behind the feed, or beside it.
        life = start(recording, home, chance.choice(["max", "1000000"]))
        progress.reaches(target, life)
        killed_at_work += life.kill()
    start(recording, home).answer()
    progress.log.close()

    records, frames = written(home)
    assert killed_at_work, "how often depends on the machine"
    for topic, values in expected.items():
        assert records[topic] == values, topic
    assert frames == expected_frames
