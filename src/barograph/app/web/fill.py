"""What a start reads of a log that is longer than the page: from where, and the gaps of a day.

Records of a partition lie about in the order of their times, so a few of them tell where a span
begins, however long the topic is.
"""

from collections.abc import Callable, Iterator

import msgspec

from barograph import codec
from barograph.log import Extent, Log, browse
from barograph.pipeline.recorded_gaps import gap_of
from barograph.types import NS_PER_S, FeatureRow, Gap, Record

PROGRESS_S = 3_600
"""Rows that are read to tell how long a warm-up takes; every window and the baseline need less."""

MOST_SCANNED = 5_000_000
"""Records of a source that are looked through for gaps at most, of each partition."""

_STEP = 1_000
_PAGE = 5_000


def rows_from(log: Log, topic: str, extent: Extent, most: int) -> int:
    """The offset from which the rows of the last PROGRESS_S seconds of a partition come.

    Not more than `most` records before its end. It steps back, twice as far each time, until a
    record is older, so at most twice the records come that are needed.
    """
    newest = _row_at(log, topic, extent, extent.next - 1)
    step, floor = _STEP, max(extent.oldest, extent.next - most)
    while newest is not None and extent.next - step > floor:
        row = _row_at(log, topic, extent, extent.next - step)
        if row is not None and row.second < newest.second - PROGRESS_S:
            return extent.next - step
        step *= 2
    return floor


def gaps_before(
    log: Log, topic: str, extent: Extent, span_s: int, going_on: Callable[[], bool]
) -> Iterator[list[Record]]:
    """Pages of the gap records of a partition of a market's source, the newest page first.

    Until a record is `span_s` seconds older than the newest, MOST_SCANNED were looked through, or
    `going_on` returns False, which it is asked after each page. Pages without a gap are empty.
    """
    end, newest_ns = extent.next, None
    floor = max(extent.oldest, extent.next - MOST_SCANNED)
    while end > floor:
        start = max(floor, end - _PAGE)
        page = browse.page(log, topic, extent.partition, start, end - start)
        inside = [record for record in page if record.offset < end]
        yield [record for record in inside if gap_of(record) is not None]
        times_ns = [time_ns for each in (inside[:1], inside[-1:]) for time_ns in _times_ns(each)]
        newest_ns = max(times_ns, default=None) if newest_ns is None else newest_ns
        if newest_ns is not None and times_ns and times_ns[0] < newest_ns - span_s * NS_PER_S:
            return
        end = start
        if not going_on():
            return


def _row_at(log: Log, topic: str, extent: Extent, offset: int) -> FeatureRow | None:
    """The first row from an offset on; None without one, or for one that cannot be read."""
    if offset < extent.oldest:
        return None
    for record in browse.page(log, topic, extent.partition, offset, 1):
        try:
            return codec.decode_row.of(record)
        except codec.UnreadableError:
            return None
    return None


def _times_ns(records: list[Record]) -> list[int]:
    times_ns = []
    for record in records:
        try:
            event = codec.decode_event.of(record)
        except codec.UnreadableError:
            continue
        times_ns.append(event.end_ns if isinstance(event, Gap) else event.event_time_ns)
    return times_ns


def parts_of(extents: list[Extent], most: int) -> list[tuple[Extent, int]]:
    """Each partition with the offset from which an even part of the newest `most` records comes."""
    limit = most // len(extents)
    return [(extent, max(extent.oldest, extent.next - limit)) for extent in extents]


def from_offset(extent: Extent, offset: int) -> Extent:
    """The part of a partition from an offset on."""
    return msgspec.structs.replace(extent, oldest=offset)
