"""What a start reads: rows of the last hour, and the gaps of a day, the newest page first."""

import pytest

from barograph import codec
from barograph.app.web import fill
from barograph.app.web.fill import from_offset, gaps_before, parts_of, rows_from
from barograph.log import Extent
from barograph.log.topics import FEATURES, TICKS
from barograph.types import FeatureRow, Message
from web_site import SECOND, append_beats, append_gap, market_log

HOUR_S = 3_600


def append_rows(log, seconds):
    rows = [
        FeatureRow(product="BTC-USD", second=s, feature_set="f", values=(), reasons="",
                   receive_time_ns=None)
        for s in seconds
    ]  # fmt: skip
    log.append([Message(FEATURES, row.product, codec.encode(row)) for row in rows])


def extent_of(log, topic):
    """The partition that has records."""
    [extent] = [each for each in log.extents(topic) if each.next]
    return extent


@pytest.mark.parametrize(("count", "most"), [(20, 10**6), (9_000, 10**6), (9_000, 3_000)])
def test_rows_of_the_last_hour_are_read_and_at_most_twice_as_many(tmp_path, count, most):
    with market_log(tmp_path) as log:
        append_rows(log, range(SECOND, SECOND + count))
        extent = extent_of(log, FEATURES)
        read = count - rows_from(log, FEATURES, extent, most)
        assert min(count, HOUR_S, most) <= read <= min(count, 2 * HOUR_S + 1_000, most)


def test_a_row_that_cannot_be_read_ends_nothing(tmp_path):
    with market_log(tmp_path) as log:
        append_rows(log, range(SECOND, SECOND + 3_000))
        log.append([Message(FEATURES, "BTC-USD", b"damaged")])
        assert rows_from(log, FEATURES, extent_of(log, FEATURES), 2_000) == 1_001


def test_gaps_come_by_pages_the_newest_first_until_they_are_too_old(tmp_path, monkeypatch):
    monkeypatch.setattr(fill, "_PAGE", 10)
    with market_log(tmp_path) as log:
        for n in range(10):
            append_gap(log, start=SECOND + 100 * n, end=SECOND + 100 * n + 1)
            append_beats(log, range(SECOND + 100 * n + 2, SECOND + 100 * n + 26))
        extent = extent_of(log, TICKS)
        for span_s, count in ((10_000, 10), (450, 5)):
            pages = list(gaps_before(log, TICKS, extent, span_s, lambda: True))
            offsets = [record.offset for page in pages for record in page]
            assert offsets == sorted(offsets, reverse=True)
            assert count <= len(offsets) <= count + 1
        assert len(list(gaps_before(log, TICKS, extent, 10_000, lambda: False))) == 1
        bounded = from_offset(extent, extent.next - 30)
        assert len(list(gaps_before(log, TICKS, bounded, 10_000, lambda: True))) == 3


def test_each_partition_has_an_even_part():
    extents = [Extent(partition=0, oldest=0, next=100), Extent(partition=1, oldest=90, next=100)]
    assert parts_of(extents, 40) == [(extents[0], 80), (extents[1], 90)]
