"""Dead letters of a stream on either log: mended and scored, sent once whoever is killed."""

import json
import random
import threading
import uuid
from collections import Counter

import pytest

from barograph.cases.churn import STREAM, invent
from barograph.codec import encode
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream
from barograph.pipeline.deadletters import REDRIVEN
from barograph.types import DeadLetter, Fault, Message
from log_consumer import contents
from verb_processes import Life
from waiting import until

CASE = ("--case", "churn")
LETTERS = 30_000
PAGE_RECORDS = 50_000  # on Kafka each page is sought anew
KILLS = 10


@pytest.fixture(params=["embedded", "kafka"])
def address(request, tmp_path):
    """Where this story's log is."""
    if request.param == "embedded":
        return f"sqlite:///{tmp_path}/log.sqlite"
    return f"kafka://{request.getfixturevalue('kafka')}/story-{uuid.uuid4().hex}"


@pytest.fixture
def start(address, tmp_path, monkeypatch):
    """Start a verb on this story's log, as a process of its own."""
    monkeypatch.chdir(tmp_path)
    places = (*CASE, "--log", address, "--home", tmp_path / "home", "--json")
    return lambda *words: Life(*words, *places)


@pytest.fixture
def run(start):
    """Run a verb to its end: its answer."""

    def finish(*words):
        return json.loads(start(*words).answer())

    return finish


@pytest.fixture
def log(address):
    opened = open_log(address)
    ensure_stream(opened, STREAM)
    yield opened
    opened.close()


@pytest.fixture
def many(log):
    """A log with more letters than a re-drive sends in a second: their identities."""
    letters = [
        DeadLetter(
            fault=Fault.UNKNOWN_CATEGORY,
            detail="$.Contract: Invalid enum value 'Weekly'",
            source=STREAM.source,
            position=f"0:{place}",
            key=f"customer {place}",
            original=b'{"customerID": "customer %d"}' % place,
        )
        for place in range(LETTERS)
    ]
    log.append(Message(STREAM.dead_letters, letter.key, encode(letter)) for letter in letters)
    return {f"{letter.source}@{letter.position}" for letter in letters}


def redriven(log):
    """How often each letter's original stands in the topic that refused it."""
    return Counter(
        record.headers[REDRIVEN]
        for extent in log.extents(STREAM.source)
        for record in contents(log, STREAM.source, extent.partition, PAGE_RECORDS)
        if REDRIVEN in record.headers
    )


def test_what_was_refused_is_mended_sent_again_and_scored(run, tmp_path):
    *good, lame = invent(40, 5)
    mended = tmp_path / "mended.json"
    mended.write_bytes(lame)
    (tmp_path / "people.ndjson").write_bytes(
        b"\n".join([*good, lame.replace(b'"tenure":', b'"tenure":-'), b"\xff", b"nonsense"])
    )
    assert run("produce", "people.ndjson")["sent"] == 42
    assert run("consume")["dead_letters"] == 3
    listing = run("deadletters", "list")
    assert listing["counts"] == {"out_of_range": 1, "not_utf8": 1, "not_json": 1}
    names = {letter["fault"]: letter["identity"] for letter in listing["letters"]}
    words = ("deadletters", "redrive", names["out_of_range"], "--mended", mended)
    assert run(*words)["sent"] == {STREAM.source: 1}
    assert run(*words)["sent"] == {}
    assert (done := run("consume"))["values"] == 1, done
    assert run("deadletters", "redrive", "--all")["sent"] == {STREAM.source: 2}
    assert run("consume")["dead_letters"] == 2
    assert (run("deadletters", "list")["redriven"], run("consume")["records"]) == (3, 0)


@pytest.mark.operations
def test_ten_kills_send_no_letter_twice_and_leave_none(start, run, log, many):
    """What stands twice once would stand twice at the end: only there is it counted."""
    chance, killed_at_work, pause = random.Random(4), 0, threading.Event()

    def grown():
        return sum(extent.next for extent in log.extents(STREAM.source))

    def committed():
        return bool(log.producer_checkpoints(f"redrive.{STREAM.dead_letters}", take=False))

    for kill in range(KILLS):
        # More than the marks that a broker sets where it undoes what the life before left.
        target, life = grown() + 100, start("deadletters", "redrive", "--all")
        until(lambda: not life.is_alive() or grown() > target, pause_s=0.001)  # noqa: B023
        if kill == 0:  # a slow broker has committed nothing yet of what it already holds
            until(lambda: not life.is_alive() or committed())  # noqa: B023
        pause.wait(chance.random() * 0.01)
        killed_at_work += life.kill()
    assert killed_at_work, "how often depends on the machine"
    done = run("deadletters", "redrive", "--all")
    assert redriven(log) == Counter(many)
    assert done["sent_before"] + done["sent"].get(STREAM.source, 0) == LETTERS
    assert done["sent_before"] > 0


def test_two_at_once_send_no_letter_twice(start, run, log, many):
    """The one that comes later takes over; the other, if it is still at it, says so and leaves."""
    both = [start("deadletters", "redrive", "--all") for _ in range(2)]
    for life in both:
        code, _, err = life.end()
        assert code == 0 or (code == 2 and b"another process has taken over" in err), err.decode()
    assert 0 in {life.exitcode for life in both}
    run("deadletters", "redrive", "--all")
    assert redriven(log) == Counter(many)
