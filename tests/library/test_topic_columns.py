"""A topic of which nothing was read has the columns that its records would have had."""

import pytest

from barograph.cases.churn import CHURN
from barograph.cases.hourly import HOURLY
from barograph.cases.named import NAMED, case_named
from barograph.library.topic_columns import family_of_topic, no_rows
from barograph.log.topics import ALERT_TOPICS, CANDLE_TOPICS, TOPICS
from queues import QUEUES


@pytest.mark.parametrize(
    "topic", [topic.name for topic in (*TOPICS, *CANDLE_TOPICS, *ALERT_TOPICS)]
)
def test_every_topic_of_the_house_has_columns(topic):
    frame = no_rows(topic, family_of_topic(topic, None), None)
    assert len(frame) == 0
    assert len(frame.columns) > 3


@pytest.mark.parametrize("name", NAMED)
def test_feature_rows_have_their_names_and_predictions_their_fields(name):
    case = case_named(name)
    if case.live is not None:
        rows = no_rows(case.live.rows, family_of_topic(case.live.rows, None), None)
        assert rows.columns[-len(case.live.columns) :] == list(case.live.columns)
        topic = case.live.predictions
    else:
        topic = case.stream.target
    assert "probability" in no_rows(topic, family_of_topic(topic, None), None).columns


def test_a_case_of_ones_own_names_its_topics():
    assert family_of_topic(QUEUES.live.rows, None) is None
    frame = no_rows(QUEUES.live.rows, family_of_topic(QUEUES.live.rows, QUEUES), QUEUES)
    assert frame.columns[-len(QUEUES.live.columns) :] == list(QUEUES.live.columns)


def test_records_of_others_have_no_columns_that_are_known():
    assert family_of_topic("telco.raw.customers", CHURN) is None
    assert family_of_topic("none", HOURLY) is None
