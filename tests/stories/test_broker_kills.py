"""One broker that is killed again and again under a replay: nothing hangs, and each record once."""

import json
import random
import uuid
from contextlib import closing

import pytest

import brokers
from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, TICKS
from coinbase_messages import ticker
from log_consumer import contents
from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

LINES, SPEED = 2_400, 100
"""Seconds of market, and how many a second."""

KILLED_AT = (LINES // 10, LINES // 3, LINES // 2)
"""Records of features: so far the pipeline has come when the broker is killed."""

LIMIT_S = 150.0
"""Below it lies what a stall costs that ends by itself: a transaction's time-out, twice."""


@pytest.fixture
def recording(tmp_path):
    chance, price = random.Random(50), 50_000.0
    lines = []
    for n in range(LINES):
        price += chance.uniform(-3, 3)
        quote = {"best_bid": f"{price - 0.01:.2f}", "best_ask": f"{price:.2f}"}
        lines.append(json.dumps(ticker(n, price=f"{price:.2f}", **quote)))
    path = tmp_path / "made.ndjson"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def one_broker(jars, tmp_path):  # noqa: ARG001 - the skip
    with brokers.Brokers(tmp_path / "kafka") as broker:
        yield broker


def values(address):
    """What a log says, by topic and key, each in its order."""
    by_key = {}
    with closing(open_log(address)) as log:
        for topic in (TICKS, FEATURES, PREDICTIONS, DEAD_LETTERS):
            for extent in log.extents(topic):
                for record in contents(log, topic, extent.partition, LINES):
                    by_key.setdefault((topic, record.key), []).append(record.value)
    return by_key


def computed(log):
    """How far the pipeline has come: records of features, marks of transactions among them."""
    if FEATURES not in {topic.name for topic in log.topics()}:
        return 0
    return sum(extent.next for extent in log.extents(FEATURES))


def test_a_broker_that_is_killed_again_and_again_stalls_no_replay_for_good(
    one_broker, recording, tmp_path, abort_as
):
    """It goes on by itself, or ends with an error whose command cures it.

    A broker that dies may forget to end the transaction of an offset.
    """
    embedded = Life("replay", recording, "--home", tmp_path / "embedded")
    embedded.answer()
    address = f"kafka://{one_broker.address}/test-{uuid.uuid4().hex}"
    words = ("replay", recording, "--log", address, "--home", tmp_path / "home")
    life = Life(*words, "--speed", SPEED)
    try:
        chance = random.Random(5)
        with closing(open_log(address)) as log:
            for count in KILLED_AT:
                until(lambda n=count: life.exitcode is not None or computed(log) >= n, LIMIT_S)
                one_broker.kill(0)
                life.join(chance.uniform(0.0, 1.0))
                one_broker.start(0)
                one_broker.wait_ready()
        code, _, warned = life.end(LIMIT_S)
        assert b"rdkafka" not in warned
        if code:
            assert b"a transaction in " in warned, warned.decode()
            abort_as(warned.decode())
            Life(*words).answer(LIMIT_S)
    finally:
        life.kill()
    assert values(address) == values(tmp_path / "embedded")
