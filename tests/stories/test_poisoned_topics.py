"""Records that nobody should have written, in every topic: the stages go on, the readers tell."""

import uuid

import msgspec
import pytest

from barograph import codec
from barograph.app.terminal.live_view import render
from barograph.cases.market import MARKET
from barograph.errors import BadInputError
from barograph.feature_set.featurizer import Featurizer
from barograph.log import browse, open_log
from barograph.log.topics import (
    DEAD_LETTERS,
    FEATURES,
    PREDICTIONS,
    STATUS,
    TICKS,
    market_topics,
)
from barograph.pipeline import check, deadletters, live_scores
from barograph.pipeline.verify import verify
from barograph.pipeline.watch import PredictionWatch
from barograph.pipeline.worker import when_idle, work
from barograph.types import Message
from live_scoring import scores_of
from market_stages import FEATURIZE, SCORE, MarketScorer
from numbered_ticks import ticks

pytestmark = pytest.mark.operations

POISON = [
    b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000,
    b'"\\ud800"', b"NaN", b'{"type":"tick/2"}', b'{"type":"tick/1","product":"BTC-USD"',
    b'{"type":"tick/1","product":"\\u0000next","event_time_ns":1,"price":"1","bid":"1","ask":"1"}',
    (b'{"type":"tick/1","product":"BTC-USD","event_time_ns":9223372036854775807,"price":"1",'
    b'"bid":"1","ask":"1"}'),
    b'{"type":"tick/1","product":"BTC-USD","event_time_ns":1,"price":"NaN","bid":"1","ask":"1"}',
    (b'{"type":"tick/1","product":"BTC-USD","event_time_ns":1,"price":"1","bid":"1","ask":"1",'
    b'"side":"BUY"}'),
    b'{"type":"gap/1","product":"BTC-USD","start_ns":2,"end_ns":1,"cause":"silence"}',
    b'{"type":"heartbeat/1","product":"BTC-USD","event_time_ns":-5}',
    (b'{"type":"tick/1","product":"BTC-USD","event_time_ns":1700000050000000000,"price":"1",'
    b'"bid":"1","ask":"1"}'),  # sound, but under another key
]  # fmt: skip
KEYS = ("BTC-USD", "\0next", "x" * 100_000, "")


def poison(topic):
    return [Message(topic, KEYS[number % len(KEYS)], value) for number, value in enumerate(POISON)]


@pytest.fixture(params=["sqlite", "kafka"])
def poisoned(request, tmp_path):
    address = tmp_path
    if request.param == "kafka":
        address = f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"
    log = open_log(address)
    for topic in market_topics(1):
        log.create(topic)
    good = [Message(TICKS, each.key, each.value) for each in ticks(200)]
    log.append([*good[:200], *poison(TICKS), *good[200:]])
    yield log
    log.close()


def stage(log, route, machine):
    return work(log, route, machine, clock_ns=lambda: 7, until=when_idle, timeout_s=0.0)


def test_each_costs_one_letter_and_changes_no_row(poisoned):
    tally = stage(poisoned, FEATURIZE, Featurizer)
    assert (tally.values, tally.dead_letters) == (2 * 199, len(POISON))
    clean = [each for each in browse.records(poisoned, TICKS) if each.value not in POISON]
    rows = [each.value for each in browse.records(poisoned, FEATURES)]
    assert rows == [value for _, value in Featurizer().receive(clean).values]
    poisoned.append(poison(FEATURES))
    tally = stage(poisoned, SCORE, MarketScorer)
    assert (tally.values, tally.dead_letters) == (2 * 199, len(POISON))
    originals = [letter.original for letter in deadletters.letters(poisoned, DEAD_LETTERS)]
    assert sorted(originals) == sorted(POISON * 2)


def test_whoever_reads_a_topic_tells_of_them_and_ends_of_none(poisoned):
    stage(poisoned, FEATURIZE, Featurizer)
    stage(poisoned, SCORE, MarketScorer)
    assert verify(poisoned).same
    for topic in (FEATURES, PREDICTIONS, STATUS, DEAD_LETTERS):
        poisoned.append(poison(topic))
    for topic in (TICKS, FEATURES, PREDICTIONS, STATUS, DEAD_LETTERS):
        report = check.check(poisoned, topic, wanted=1)
        assert report.kinds[check.UNREADABLE] > 0
        assert codec.encode(report)
        assert [browse.as_line(each) for each in browse.records(poisoned, topic)]
    watch = PredictionWatch(poisoned, from_oldest=True)
    watch.look()
    render(watch, "poisoned")
    assert watch.unreadable == len(POISON)
    scores = scores_of(poisoned, PREDICTIONS)
    assert {sum(each.verdicts.values()) for each in scores.values()} == {2 * 199}
    live_scores.live_report(poisoned, MARKET, "spikes/1", standing={}, hours=1, trained_ns=0)
    assert verify(poisoned).difference.what == "record"


def test_letters_that_are_none_are_listed_shown_and_not_sent(poisoned):
    stage(poisoned, FEATURIZE, Featurizer)
    poisoned.append(poison(DEAD_LETTERS))
    listed = deadletters.listed(poisoned, DEAD_LETTERS, fault=None, limit=100)
    assert listed.counts[deadletters.DAMAGED] == len(POISON)
    for line in listed.letters:
        assert deadletters.shown(poisoned, DEAD_LETTERS, line.identity).identity == line.identity
    everything = deadletters.Choice()
    sent = deadletters.redrive(poisoned, DEAD_LETTERS, everything, clock_ns=lambda: 1)
    assert (sent.sent, sent.damaged) == ({TICKS: len(POISON)}, len(POISON))
    # They are refused once more, each with an identity of its own.
    assert stage(poisoned, FEATURIZE, Featurizer).dead_letters == len(POISON)


def test_a_cut_letter_that_names_no_place_is_refused_with_a_cure(poisoned):
    letter = codec.dead(next(browse.records(poisoned, TICKS)), "late", "why")
    for position in ("x", "0:x", "0:99999", ""):
        cut = {"position": position, "cut": True}
        value = codec.encode(msgspec.structs.replace(letter, **cut))
        poisoned.append([Message(DEAD_LETTERS, "", value)])
    with pytest.raises(BadInputError, match="only the beginning"):
        deadletters.redrive(
            poisoned, DEAD_LETTERS, deadletters.Choice(), clock_ns=lambda: 1, dry_run=True
        )
