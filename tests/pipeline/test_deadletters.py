"""Dead letters: each can be found, looked into and sent once more; never twice."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.cases.contract import Contract
from barograph.errors import BadInputError, ReplacedProducerError
from barograph.log import Topic, open_log
from barograph.log.topics import TICKS
from barograph.pipeline import deadletters
from barograph.pipeline.deadletters import REDRIVEN, Choice, listed, redrive, shown
from barograph.types import DeadLetter, Fault, Message
from coinbase_messages import TICKER, envelope, heartbeat, ticker

LETTERS = "things.deadletter"
EVERYTHING = Choice()


class Thing(msgspec.Struct, frozen=True):
    """A record with a key, a category and an outcome."""

    id: str
    colour: Literal["red", "blue"]
    good: Literal["yes", "no"] | None = None


CONTRACT = Contract(Thing, key="id", outcome="good", yes="yes")


def letter(position, fault=Fault.UNKNOWN_CATEGORY, source="things", original=b"{}", key="k"):
    return DeadLetter(
        fault=fault, detail=f"why {position}", source=source, position=position, key=key,
        original=original,
    )  # fmt: skip


def written(log, *letters):
    log.append(
        Message(LETTERS, "k", each if isinstance(each, bytes) else codec.encode(each))
        for each in letters
    )


def log_in(place):
    log = open_log(place)
    for name in ("things", "others", LETTERS):
        log.create(Topic(name=name))
    return log


@pytest.fixture
def log(tmp_path):
    opened = log_in(tmp_path)
    yield opened
    opened.close()


def sent(log, topic="things"):
    return log.read(topic, 0, 0, 10_000)


def again(log, choice=EVERYTHING, **how):
    return redrive(log, LETTERS, choice, clock_ns=lambda: 7, **how)


class Killed(BaseException):
    """The process is gone."""


CHOICES = st.one_of(
    st.just(EVERYTHING),
    st.sampled_from([Fault.LATE, Fault.NOT_JSON]).map(lambda fault: Choice(fault=fault)),
    st.lists(st.integers(0, 11), min_size=1).map(
        lambda places: Choice(identities=[f"things@0:{place}" for place in places])
    ),
)


@pytest.mark.slow
@given(
    runs=st.lists(st.tuples(CHOICES, st.integers(0, 12), st.booleans()), max_size=6),
    step=st.integers(1, 5),
)
def test_a_letter_is_sent_once_however_often_it_is_chosen_and_whoever_is_killed(runs, step):
    """Runs are killed after so many letters; at the end all are chosen, and each stands there once.

    What a run sent in a step stands there with the note that it went, or neither does.
    """
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(deadletters, "_STEP_LETTERS", step)
        log = log_in(Path(place))
        faults = [(Fault.LATE, Fault.NOT_JSON, Fault.TOO_LONG)[i % 3] for i in range(12)]
        letters = [letter(f"0:{i}", fault, original=b"%d" % i) for i, fault in enumerate(faults)]
        written(log, *letters, letters[4])
        for choice, lives, dry_run in runs:

            def die(so_far, lives=lives):
                if so_far > lives:
                    raise Killed

            try:
                again(log, choice, dry_run=dry_run, progress=die)
            except Killed:
                log.close()
                log = log_in(Path(place))
            counts = Counter(record.headers[REDRIVEN] for record in sent(log))
            assert set(counts.values()) <= {1}
            assert listed(log, LETTERS, fault=None, limit=99).redriven == len(counts) + (
                "things@0:4" in counts  # which stands there twice
            )
        again(log)
        assert again(log).sent == {}
        records = sent(log)
        assert Counter(record.value for record in records) == Counter(b"%d" % i for i in range(12))
        for record in records:
            assert record.headers[REDRIVEN] == f"things@0:{int(record.value)}"
        log.close()


def test_a_redrive_that_another_has_overtaken_writes_nothing_more(tmp_path, monkeypatch):
    """Two at once: the later one has the say, and no letter goes twice."""
    monkeypatch.setattr(deadletters, "_STEP_LETTERS", 1)
    log, other = log_in(tmp_path), open_log(tmp_path)
    written(log, *(letter(f"0:{i}", original=b"%d" % i) for i in range(5)))

    def overtake(so_far):
        if so_far == 2:
            assert again(other).sent == {"things": 3}

    with pytest.raises(ReplacedProducerError):
        again(log, progress=overtake)
    assert sorted(record.value for record in sent(log)) == [b"%d" % i for i in range(5)]
    log.close()
    other.close()


def test_the_original_goes_back_byte_for_byte_under_its_key(log):
    written(log, letter("2:7", original=b"\xff\x00 no text", key="BTC-USD"))
    assert again(log).sent == {"things": 1}
    (record,) = sent(log)
    assert (record.key, record.value) == ("BTC-USD", b"\xff\x00 no text")
    assert record.headers[REDRIVEN] == "things@2:7"
    assert listed(log, LETTERS, fault=None, limit=1).letters[0].redriven_time_ns == 7


def test_of_a_letter_that_was_cut_the_whole_original_goes(log):
    whole = bytes(1000)
    log.append([Message("things", "k", whole)])
    cut = msgspec.structs.replace(letter("0:0", original=whole[:10]), cut=True)
    written(log, cut)
    assert again(log).sent == {"things": 1}
    assert [record.value for record in sent(log)] == [whole, whole]


def test_each_letter_goes_to_the_topic_that_refused_it(log):
    written(log, letter("0:1"), letter("0:1", source="others"))
    assert again(log).sent == {"things": 1, "others": 1}
    assert len(sent(log, "others")) == 1


def test_that_a_letter_went_is_kept_as_long_as_the_letter(log):
    written(log, letter("0:1"), letter("0:2"))
    again(log)
    log.create(Topic(name=LETTERS, retention_bytes=1))
    log.retain()
    log.create(Topic(name=LETTERS))
    written(log, letter("0:3"))

    def kept():
        return set(log.producer_checkpoints(f"redrive.{LETTERS}", take=False))

    both = {"things@0:1", "things@0:2"}
    again(log, dry_run=True)
    again(log, Choice(identities=["things@0:3"]))
    assert kept() == both | {"things@0:3"}
    assert again(log).sent_before == 1
    assert kept() == {"things@0:3"}
    assert len(sent(log)) == 3


def test_a_dry_run_says_what_would_go_and_leaves_everything(log):
    written(log, letter("0:1"), letter("0:2"))
    for _ in range(2):
        done = again(log, dry_run=True)
        assert (done.sent, done.dry_run) == ({"things": 2}, True)
    assert sent(log) == []
    assert again(log).sent == {"things": 2}


def test_letters_that_cannot_go_are_counted_among_many_and_refused_by_name(log):
    written(log, letter("0:1"), letter("17", source="wss://exchange"), b"\xff no letter", b"{}")
    done = again(log)
    assert (done.sent, done.no_topic, done.damaged) == ({"things": 1}, 1, 2)
    with pytest.raises(BadInputError, match="a connection or a file, wss://exchange"):
        again(log, Choice(identities=["things@0:1", "wss://exchange@17"]))
    with pytest.raises(BadInputError, match="damaged"):
        again(log, Choice(identities=[f"{LETTERS}@0:2"]))
    with pytest.raises(BadInputError, match=r"there is none in things\.deadletter"):
        again(log, Choice(identities=["things@0:99"]))
    assert len(sent(log)) == 1


def test_a_record_that_is_refused_again_is_another_letter(log):
    """It has another place, and can be re-driven in turn."""
    written(log, letter("0:1", original=b"x"))
    again(log)
    written(log, letter("0:2", original=b"x"))
    done = again(log)
    assert (done.sent, done.sent_before) == ({"things": 1}, 1)
    assert [record.value for record in sent(log)] == [b"x", b"x"]


def test_what_was_mended_goes_under_the_key_that_stands_in_it(log):
    written(log, letter("0:1", key="", original=b'{"id": "a"}'))
    mended = Choice(identities=["things@0:1"], mended=b'{"id": "a", "colour": "red"}')
    assert again(log, mended, contract=CONTRACT).sent == {"things": 1}
    (record,) = sent(log)
    assert (record.key, record.value) == ("a", mended.mended)
    assert again(log).sent_before == 1


def test_what_was_mended_badly_is_not_sent(log):
    written(log, letter("0:1"))
    mended = Choice(identities=["things@0:1"], mended=b'{"id": "a", "colour": "green"}')
    with pytest.raises(BadInputError, match=r"unknown_category.*nothing was sent"):
        again(log, mended, contract=CONTRACT)
    assert sent(log) == []


# Frames, whose source is a connection or a file.


def frame_letter(position, message, fault=Fault.UNKNOWN_PRODUCT, source="coinbase/1"):
    return letter(position, fault, source, json.dumps(message).encode(), "BTC-USD")


@pytest.fixture
def market(log):
    """The log of a market: frames have a topic to go to."""
    log.create(Topic(name=TICKS))
    return log


def test_a_frame_is_heard_again_and_its_ticks_go_once(market):
    written(market, frame_letter("7", ticker(0)), frame_letter("9", ticker(1), source="f.ndjson"))
    assert again(market, dry_run=True).sent == {TICKS: 2}
    assert again(market).sent == {TICKS: 2}
    done = again(market)
    assert (done.sent, done.sent_before) == ({}, 2)
    first, second = sent(market, TICKS)
    assert (first.key, first.headers[REDRIVEN]) == ("BTC-USD", "coinbase/1@7")
    assert second.headers[REDRIVEN] == "f.ndjson@9"
    tick = codec.decode_event(first.value)
    assert (tick.trade_id, tick.connection) == (TICKER["trade_id"], "coinbase/1")


def test_all_ticks_of_a_frame_go_with_the_note_that_they_went(market, monkeypatch):
    monkeypatch.setattr(deadletters, "_STEP_LETTERS", 1)
    whole = envelope(0, products=("BTC-USD", "ETH-USD"))
    written(market, letter("1", Fault.FUTURE, "c", json.dumps(whole).encode(), key=""))
    assert again(market).sent == {TICKS: 2}
    assert {record.headers[REDRIVEN] for record in sent(market, TICKS)} == {"c@1"}
    assert listed(market, LETTERS, fault=None, limit=1).redriven == 1


def test_frames_that_are_refused_again_stay_with_todays_reason_and_empty_ones_are_counted(market):
    written(
        market,
        frame_letter("1", ticker(0, price="-1"), Fault.NOT_A_NUMBER),
        frame_letter("2", ticker(0), Fault.DUPLICATE),
        frame_letter("3", heartbeat(0, 0)),
        letter("4", Fault.NOT_JSON, "c", b"garbage"),
    )
    done = again(market)
    assert (done.sent, done.no_topic, done.no_tick) == ({}, 0, 1)
    assert done.refused_again == {"not_positive": 1, "duplicate": 1, "not_json": 1}
    assert again(market).refused_again == done.refused_again
    assert sent(market, TICKS) == []


def test_a_mended_frame_goes_and_a_badly_mended_one_does_not(market):
    written(market, letter("1", Fault.NOT_JSON, "c", b"garbage"))
    bad = Choice(identities=["c@1"], mended=b"{")
    with pytest.raises(BadInputError, match=r"not_json.*nothing was sent"):
        again(market, bad)
    good = Choice(identities=["c@1"], mended=json.dumps(ticker(0)).encode())
    assert again(market, good).sent == {TICKS: 1}
    assert again(market, good).sent_before == 1


def test_a_list_counts_all_and_shows_the_last(log):
    written(log, *(letter(f"0:{i}", original=b"x" * i) for i in range(5)))
    written(log, b"nonsense", letter("0:9", Fault.LATE))
    listing = listed(log, LETTERS, fault=None, limit=2)
    assert listing.counts == {"unknown_category": 5, "damaged": 1, "late": 1}
    assert [line.identity for line in listing.letters] == [f"{LETTERS}@0:5", "things@0:9"]
    listing = listed(log, LETTERS, fault="unknown_category", limit=2)
    assert [(line.identity, line.size) for line in listing.letters] == [
        ("things@0:3", 3),
        ("things@0:4", 4),
    ]
    assert sum(listing.counts.values()) == 7
    with pytest.raises(BadInputError, match="there is no such fault"):
        listed(log, LETTERS, fault="lost", limit=2)


def test_a_letter_is_shown_whole_and_a_damaged_one_as_it_is(log):
    written(log, letter("0:1", original=b"\x00\xff"), b"nonsense")
    whole = shown(log, LETTERS, "things@0:1")
    assert (whole.source, whole.position, whole.original) == ("things", "0:1", b"\x00\xff")
    assert (whole.detail, whole.fault) == ("why 0:1", "unknown_category")
    damaged = shown(log, LETTERS, f"{LETTERS}@0:1")
    assert (damaged.fault, damaged.original) == ("damaged", b"nonsense")
    with pytest.raises(BadInputError, match="there is none"):
        shown(log, LETTERS, "things@0:7")
