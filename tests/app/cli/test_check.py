"""Check by the command line: an answer, and an exit code for scripts."""

import json

import pytest

from barograph.codec import encode
from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, STATUS, TICKS, ensure_topics
from barograph.types import DeadLetter, Fault, FeedStatus, Message, Tick

HOME = ("--home", "h")


@pytest.mark.slow
def test_a_topic_with_enough_ticks_is_ok(run, recording):
    run("replay", recording(), *HOME)
    code, out, err = run("check", "--topic", "ticks.raw", "--min", "100", *HOME)
    assert (code, err) == (0, "")
    assert out.startswith("ok: ticks.raw has ")
    assert "BTC-USD" in out
    code, out, _ = run("check", "--min", "100", *HOME, "--json")
    report = json.loads(out)
    assert (code, report["ok"], report["lag"]) == (0, True, {"featurizer": 0, "scorer": 0})
    assert report["counted"] >= 100
    assert json.loads(report["sample"])["topic"] == "ticks.raw"


def test_a_topic_that_is_short_says_how_many_there_are(run, recording):
    run("replay", recording(), "--no-stages", *HOME)
    code, out, err = run("check", "--min", "1000000", *HOME, "--json")
    report = json.loads(out)
    assert (code, report["ok"]) == (1, False)
    assert f"ticks.raw has {report['counted']:,} ticks, 1,000,000 required" in err


def test_a_watch_of_a_quiet_topic_is_short(run, recording):
    run("replay", recording(), "--no-stages", *HOME)
    code, out, err = run("check", "--min", "1", "--seconds", "0.3", *HOME)
    assert (code, "in 0.3 s" in err) == (1, True)
    assert out.startswith("short")


@pytest.mark.slow
def test_any_topic_can_be_counted(run, recording):
    run("replay", recording(), *HOME)
    code, out, _ = run("check", "--topic", "ticks.features", "--min", "10", *HOME, "--json")
    assert (code, json.loads(out)["kinds"].keys()) == (0, {"features"})


def test_where_nothing_is_one_line_says_so(run):
    code, out, err = run("check", *HOME)
    assert (code, out, err.count("\n")) == (2, "", 1)
    run("topics", "create", "things", *HOME)
    code, _, err = run("check", *HOME)
    assert (code, "there is no topic" in err) == (2, True)


EVIL = "\x1b[2J\x1b]0;pwned\x07\x9b2J\u202e[red]evil[/]<script>"


def seed(product=EVIL):
    """A home whose records say what nobody should obey."""
    letter = DeadLetter(
        fault=Fault.VENUE_ERROR, detail=EVIL, source=EVIL, position="1", key=EVIL,
        original=EVIL.encode(),
    )  # fmt: skip
    status = FeedStatus(
        venue=EVIL, connection=EVIL, dialect=EVIL, products=(EVIL,), time_ns=1, since_ns=1,
        frames=1, reconnects=0, queued=0, queue_full=0, open_holes=0, refused=1,
        first_refusal=EVIL,
    )  # fmt: skip
    tick = Tick(product=product, event_time_ns=1, price=EVIL, bid="1", ask="2", connection=EVIL)
    log = open_log("h")
    try:
        ensure_topics(log, 1)
        log.append([
            Message(DEAD_LETTERS, EVIL, encode(letter), {"appended_time_ns": "1", EVIL: EVIL}),
            Message(STATUS, EVIL, encode(status)),
            Message(TICKS, product, encode(tick), {EVIL: EVIL}),
        ])  # fmt: skip
    finally:
        log.close()


@pytest.mark.slow
@pytest.mark.parametrize("words", [
    ("check", "--min", "2"), ("check", "--json"), ("deadletters", "list"),
    ("deadletters", "list", "--json"), ("deadletters", "show", f"{EVIL}@1"),
    ("deadletters", "show", f"{EVIL}@1", "--json"), ("deadletters", "show", EVIL),
    ("deadletters", "redrive", "--all"), ("topics", "dump", "ticks.raw"),
    ("topics", "dump", EVIL), ("check", "--topic", EVIL), ("models", "show", EVIL),
    ("models", "list"), ("verify",), ("topics", "list"), ("replay", EVIL),
    ("dataset", EVIL), ("feed", "--venue", EVIL),
])  # fmt: skip
def test_no_verb_shows_what_a_terminal_would_obey(run, words):
    seed()
    _, out, err = run(*words, *HOME)
    assert out + err
    assert all(c.isprintable() or c == "\n" for c in out + err), (out, err)
    assert err.count("\n") <= 3
