from barograph.log import open_log
from barograph.log.topics import DEAD_LETTERS, TICKS, TOPICS, ensure_topics


def test_missing_topics_are_created_and_existing_ones_stay(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log, 5)
    ensure_topics(log, 2)
    partitions = {topic.name: topic.partitions for topic in log.topics()}
    assert partitions.keys() == {topic.name for topic in TOPICS}
    assert (partitions[TICKS], partitions[DEAD_LETTERS]) == (5, 1)
    log.close()
