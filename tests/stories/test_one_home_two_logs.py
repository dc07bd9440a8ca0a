"""A home that moves from its file to Kafka: one recording on both, and a log made anew."""

import json
import uuid

import pytest

from barograph.log import open_log
from coinbase_messages import ticker
from homes import recorded
from log_contents import events
from verb_processes import Life

SECONDS = 240
LIMIT_S = 120.0


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def recording(tmp_path):
    """Two products, five ticks in three seconds; those of one product have no ids."""
    messages = []
    for second in range(SECONDS):
        price = 100 + (second * 7919 % 13) / 10
        quote = {"best_bid": f"{price:.1f}", "best_ask": f"{price + 0.1:.1f}"}
        messages.append(ticker(second, **quote))
        if second % 3:
            other = ticker(second, product_id="ETH-USD", **quote)
            del other["trade_id"], other["sequence"]
            messages.append(other)
    return recorded(tmp_path, *messages)


def answer(home, *words):
    return json.loads(Life(*words, "--home", home, "--json").answer(LIMIT_S))


def products(address):
    log = open_log(address)
    try:
        return events(log)
    finally:
        log.close()


def assert_features_are_those_of_the_archive(home, address):
    verification = answer(home, "verify", "--archive", "--log", address)
    assert verification["difference"] is None
    assert verification["rows"] > SECONDS


def test_a_home_moves_to_kafka_with_its_recording_and_to_a_log_made_anew(kafka, home, recording):
    file = f"sqlite:///{home}/log.sqlite"
    moved, rebuilt = (f"kafka://{kafka}/{name}-{uuid.uuid4().hex}" for name in ("moved", "rebuilt"))
    lines = len(recording.read_bytes().splitlines())
    assert answer(home, "replay", recording)["feed"]["ticks"] == lines
    rows = answer(home, "dataset")["rows"]
    kept = {path.name: path.read_bytes() for path in (home / "archive").glob("*.gz")}
    assert kept

    fed = answer(home, "replay", recording, "--log", moved, "--no-stages")["feed"]
    assert (fed["ticks"], fed["dead_letters"]) == (lines, {})
    answer(home, "featurize", "--log", moved)
    assert_features_are_those_of_the_archive(home, moved)
    assert products(file) == products(moved)
    assert answer(home, "dataset")["rows"] == rows
    for log in (file, moved):
        assert answer(home, "recover", "--log", log)["files"] == []

    recovered = answer(home, "recover", "--log", rebuilt)
    assert recovered["feed"]["ticks"] == lines
    assert products(rebuilt) == products(file)
    again = answer(home, "replay", recording, "--log", rebuilt)["feed"]
    assert (again["skipped"], again["ticks"]) == ([recording.name], 0)
    assert_features_are_those_of_the_archive(home, rebuilt)
    archived = {path.name: path.read_bytes() for path in (home / "archive").glob("*.gz")}
    assert kept.items() <= archived.items()
