from barograph.log import open_log
from barograph.log.topics import (
    CANDLE_TOPICS,
    CANDLES,
    DEAD_LETTERS,
    TICKS,
    TOPICS,
    ensure_candle_topics,
    ensure_topics,
)


def test_missing_topics_are_created_and_existing_ones_stay(tmp_path):
    log = open_log(tmp_path)
    ensure_topics(log, 5)
    ensure_topics(log, 2)
    partitions = {topic.name: topic.partitions for topic in log.topics()}
    assert partitions.keys() == {topic.name for topic in TOPICS}
    assert (partitions[TICKS], partitions[DEAD_LETTERS]) == (5, 1)
    log.close()


def test_candles_are_kept_without_limit_and_what_is_made_of_them_for_ten_years(tmp_path):
    log = open_log(tmp_path)
    ensure_candle_topics(log)
    ensure_candle_topics(log)
    kept_s = {topic.name: topic.retention_s for topic in log.topics()}
    assert kept_s.keys() == {topic.name for topic in CANDLE_TOPICS}
    assert kept_s.pop(CANDLES) is None
    assert min(kept_s.values()) >= 10 * 365 * 86_400
    log.close()
