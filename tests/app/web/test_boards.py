"""What boards share: places and their cursor, latencies, order."""

from barograph.app.web.boards import LastLatencies, Places, in_order, milliseconds
from barograph.types import APPENDED_TIME, NS_PER_S, Record


def record(topic, offset, appended=0, partition=0):
    return Record(topic, partition, offset, "k", b"", {APPENDED_TIME: str(appended)})


def test_a_cursor_is_where_its_topics_were_read_to():
    places = Places("p", "s")
    assert places.cursor == "-_-"
    places.know("p", [5, 6])
    places.know("other", [1])
    places.passed(record("p", 9, partition=1))
    places.passed(record("other", 9))
    places.passed(record("p", 9, partition=7))
    assert places.cursor == "5.10_-"


def test_percentiles_are_of_the_last_minute():
    latencies = LastLatencies()
    assert latencies.percentile(0.5) is None
    for _ in range(50):
        latencies.add(40 * NS_PER_S, 9_999.0)
    for each in range(1, 1_001):
        latencies.add(100 * NS_PER_S + each, float(each))
    latencies.add(101 * NS_PER_S, None)
    latencies.add(99 * NS_PER_S, 500.0)  # out of order
    assert (latencies.percentile(0.5), latencies.percentile(0.99)) == (500.0, 990.0)  # exact: whole
    assert latencies.percentile(1.0) == 1_000.0  # exact: whole numbers


def test_what_is_older_than_the_last_minute_counts_for_nothing():
    """The histories of several partitions are read one behind the other, each from its oldest."""
    latencies = LastLatencies()
    latencies.add(1_000 * NS_PER_S, 5.0)
    for second in range(1_000):
        latencies.add(second * NS_PER_S, 0.0 if second < 940 else 5.0)
    assert latencies.percentile(0.01) == 5.0  # exact: as given


def test_records_come_in_the_order_of_the_log():
    records = [record("a", 1, 30), record("a", 2, 40), record("b", 1, 35), record("b", 2, 40)]
    ordered = [(each.topic, each.offset) for each in in_order(records)]
    assert ordered == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_a_time_that_is_not_known_gives_no_latency():
    assert milliseconds(None, 1) is None
    assert milliseconds(1_000_000, 3_500_000) == 2.5
