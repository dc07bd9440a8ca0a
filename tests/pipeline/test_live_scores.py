"""What a log keeps of predictions, as live scores of the models that made them."""

import pytest

from barograph import codec
from barograph.cases.market import MARKET
from barograph.errors import UnknownTopicError
from barograph.log import open_log
from barograph.log.topics import PREDICTIONS, SHADOW, ensure_topics
from barograph.pipeline.live_scores import LiveReport, live_report, matured
from barograph.types import Message
from live_scoring import scores_of
from matured_predictions import NS, storm


@pytest.fixture
def log(tmp_path):
    with_topics = open_log(tmp_path)
    ensure_topics(with_topics)
    yield with_topics
    with_topics.close()


def append(log, topic, predictions):
    log.append([Message(topic, each.product, codec.encode(each)) for each in predictions])


def test_a_topic_is_judged_from_a_moment_on(log):
    append(log, PREDICTIONS, storm("spikes/1", 2.0))
    assert scores_of(log, SHADOW) == {}
    assert scores_of(log, PREDICTIONS)["spikes/1"].rows == 3940
    late = scores_of(log, PREDICTIONS, since_ns=2001 * NS)["spikes/1"]
    assert (late.first_second, late.last_second, late.rows) == (2000, 3999, 1940)
    assert matured(log, PREDICTIONS, MARKET, since_ns=4001 * NS) == {}


@pytest.mark.slow
def test_a_version_is_shown_by_what_it_said_of_the_last_hours_and_was_not_trained_on(log):
    append(log, PREDICTIONS, storm("spikes/1", 2.0))
    append(log, SHADOW, storm("spikes/2", 20.0)[3000:])
    both = {"champion": "spikes/1", "candidate": "spikes/2"}
    champion = live_report(log, MARKET, "spikes/1", standing=both, hours=1, trained_ns=0)
    assert (champion.scored.first_second, champion.shadowed) == (399, None)
    assert (champion.paired.rows, champion.paired.shadow) == (940, "spikes/2")
    candidate = live_report(log, MARKET, "spikes/2", standing=both, hours=24, trained_ns=3500 * NS)
    assert (candidate.scored, candidate.shadowed.first_second) == (None, 3499)
    assert candidate.paired.rows == 441
    promoted = {"champion": "spikes/2", "candidate": "spikes/2"}
    assert (
        live_report(log, MARKET, "spikes/2", standing=promoted, hours=24, trained_ns=0).paired
        is None
    )
    assert live_report(
        log, MARKET, "spikes/9", standing=both, hours=24, trained_ns=0
    ) == LiveReport(scored=None, shadowed=None, paired=None)


def test_a_log_without_predictions_has_no_scores_of(tmp_path):
    empty = open_log(tmp_path / "new")
    assert live_report(empty, MARKET, "spikes/1", standing={}, hours=24, trained_ns=0) is None
    with pytest.raises(UnknownTopicError):
        scores_of(empty, PREDICTIONS)
    empty.close()
