"""What a start reads: the last hour at once, then what lies before, the newest first."""

import uuid
from itertools import pairwise

import pytest

from barograph import codec
from barograph.app.web import fill
from barograph.app.web.boards import Fill
from barograph.app.web.fill import by_turns, gaps_before, lots_before, newest, span_start, starts
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


def second_of(record):
    return codec.decode_row.of(record).second


@pytest.mark.parametrize(("count", "most"), [(20, 10**6), (9_000, 10**6), (9_000, 3_000)])
def test_records_of_the_last_hour_are_read_and_few_others(tmp_path, count, most):
    with market_log(tmp_path) as log:
        append_rows(log, range(SECOND, SECOND + count))
        extents = log.extents(FEATURES)
        fill_of = Fill(most * len(extents), 0, HOUR_S, second_of)
        read = sum(part.next - part.oldest for part in starts(log, FEATURES, extents, fill_of))
        assert min(count, HOUR_S, most) <= read <= min(count, HOUR_S + 1_000, most)


def test_of_a_topic_without_a_span_each_partition_has_an_even_part(tmp_path):
    extents = [Extent(partition=0, oldest=0, next=100), Extent(partition=1, oldest=90, next=100)]
    with market_log(tmp_path) as log:
        parts = starts(log, FEATURES, extents, Fill(40))
    assert [(part.oldest, part.next) for part in parts] == [(80, 100), (90, 100)]


@pytest.mark.parametrize("damaged", [1, 1_000, 2_000, 3_001])
def test_a_row_that_cannot_be_read_leaves_none_out(tmp_path, damaged):
    """Where it stands at a probe, that row is taken to be as new as any."""
    with market_log(tmp_path) as log:
        append_rows(log, range(SECOND, SECOND + 3_001 - damaged))
        log.append([Message(FEATURES, "BTC-USD", b"damaged")])
        append_rows(log, range(SECOND + 3_002 - damaged, SECOND + 3_001))
        extent = newest(extent_of(log, FEATURES), 2_500)
        assert extent.next - span_start(log, FEATURES, extent, 1_500, second_of) >= 1_500


def test_a_span_is_found_where_the_last_offset_holds_no_record(kafka):
    """The end of a transaction takes an offset of its own."""
    with market_log(f"kafka://{kafka}/test-{uuid.uuid4().hex}") as log:
        append_rows(log, range(SECOND, SECOND + 4_000))
        extent = extent_of(log, FEATURES)
        read = extent.next - span_start(log, FEATURES, extent, 500, second_of)
        assert 500 <= read <= 1_500


def test_a_topic_of_which_nothing_can_be_read_is_read_from_where_it_would_be_at_most(tmp_path):
    with market_log(tmp_path) as log:
        log.append([Message(FEATURES, "BTC-USD", b"damaged")] * 300)
        extent = newest(extent_of(log, FEATURES), 200)
        assert span_start(log, FEATURES, extent, 100, second_of) == 100


def test_what_lies_before_an_offset_comes_by_lots_and_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(fill, "_PAGE", 70)
    monkeypatch.setattr(fill, "_LOT", 30)
    with market_log(tmp_path) as log:
        append_beats(log, range(SECOND, SECOND + 200))
        lots = list(lots_before(log, TICKS, newest(extent_of(log, TICKS), 190), 180))
    assert {len(lot) for lot in lots} == {30, 10}
    assert all(later[0].offset > earlier[-1].offset for later, earlier in pairwise(lots))
    assert [record.offset for lot in reversed(lots) for record in lot] == list(range(10, 180))


def test_gaps_come_by_pages_the_newest_first_until_they_are_too_old(tmp_path, monkeypatch):
    monkeypatch.setattr(fill, "_PAGE", 10)
    with market_log(tmp_path) as log:
        for n in range(10):
            append_gap(log, start=SECOND + 100 * n, end=SECOND + 100 * n + 1)
            append_beats(log, range(SECOND + 100 * n + 2, SECOND + 100 * n + 26))
        extent = extent_of(log, TICKS)
        for span_s, count in ((10_000, 10), (450, 5)):
            pages = list(gaps_before(log, TICKS, extent, span_s))
            offsets = [record.offset for page in pages for record in page]
            assert offsets == sorted(offsets, reverse=True)
            assert count <= len(offsets) <= count + 1
        monkeypatch.setattr(fill, "MOST_SCANNED", 30)
        assert len(list(gaps_before(log, TICKS, extent, 10_000))) == 3


def test_each_of_several_has_its_turn_until_all_have_ended():
    assert list(by_turns([iter("abc"), iter(""), iter("x")])) == ["a", "x", "b", "c"]
