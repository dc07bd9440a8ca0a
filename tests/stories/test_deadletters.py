"""Dead letters of a stream on either log: mended and scored, sent once whoever is killed."""

import json
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter

import pytest

from barograph.cases.churn import STREAM, invent
from barograph.codec import encode
from barograph.deadletters import REDRIVEN
from barograph.log import open_log
from barograph.log.topics import ensure_stream
from barograph.types import DeadLetter, Fault, Message
from consumer import contents, wait_until

BAROGRAPH = [sys.executable, "-c", "from barograph.cli import main; main()"]
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
def start(address, tmp_path):
    """Start a verb on this story's log, as a process of its own."""

    def begin(*words):
        places = (*CASE, "--log", address, "--home", tmp_path / "home", "--json")
        return subprocess.Popen(
            [*BAROGRAPH, *words, *places],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )

    return begin


@pytest.fixture
def run(start):
    """Run a verb to its end: its answer."""

    def finish(*words):
        process = start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        return json.loads(out)

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
    found = run("deadletters", "list")
    assert found["counts"] == {"out_of_range": 1, "not_utf8": 1, "not_json": 1}
    names = {letter["fault"]: letter["identity"] for letter in found["letters"]}
    words = ("deadletters", "redrive", names["out_of_range"], "--mended", mended)
    assert run(*words)["sent"] == {STREAM.source: 1}
    assert run(*words)["sent"] == {}
    assert (done := run("consume"))["values"] == 1, done
    assert run("deadletters", "redrive", "--all")["sent"] == {STREAM.source: 2}
    assert run("consume")["dead_letters"] == 2
    assert (run("deadletters", "list")["redriven"], run("consume")["records"]) == (3, 0)


def test_ten_kills_send_no_letter_twice_and_leave_none(start, run, log, many):
    chance, killed_at_work = random.Random(4), 0

    def grown():
        return sum(extent.next for extent in log.extents(STREAM.source))

    for _ in range(KILLS):
        before, process, pause = (
            grown(),
            start("deadletters", "redrive", "--all"),
            threading.Event(),
        )
        wait_until(lambda: process.poll() is not None or grown() > before or pause.wait(0.001))  # noqa: B023
        pause.wait(chance.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        killed_at_work += process.returncode == -signal.SIGKILL
        counts = redriven(log)
        assert set(counts.values()) <= {1}
    assert killed_at_work >= KILLS // 2
    before = len(redriven(log))
    done = run("deadletters", "redrive", "--all")
    assert (done["sent_before"], done["sent"].get(STREAM.source, 0)) == (before, LETTERS - before)
    assert redriven(log) == Counter(many)


def test_two_at_once_send_no_letter_twice(start, run, log, many):
    """The one that comes later takes over; the other, if it is still at it, says so and leaves."""
    both = [start("deadletters", "redrive", "--all") for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode in {0, 2}, err.decode()
        assert process.returncode == 0 or b"another process has taken over" in err
    assert 0 in {process.returncode for process in both}
    run("deadletters", "redrive", "--all")
    assert redriven(log) == Counter(many)
