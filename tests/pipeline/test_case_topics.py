"""The topics of a stream of records."""

from barograph.cases.churn import STREAM
from barograph.log import open_log
from barograph.pipeline.case_topics import ensure_stream


def test_a_stream_has_as_many_partitions_for_predictions_as_for_records(tmp_path):
    log = open_log(tmp_path)
    ensure_stream(log, STREAM, 5)
    ensure_stream(log, STREAM, 2)
    assert {topic.name: topic.partitions for topic in log.topics()} == {
        STREAM.source: 5,
        STREAM.target: 5,
        STREAM.dead_letters: 1,
    }
    log.close()
