"""What a start reads of a log that is longer than the page: from where, and what lies before.

Records of a partition lie about in the order of their times, so a few of them tell where a span
begins, however long the topic is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from msgspec.structs import replace

from barograph import codec
from barograph.app.web.boards import Fill
from barograph.log import Extent, Log, browse
from barograph.pipeline.recorded_gaps import gap_of
from barograph.types import NS_PER_S, Gap, Record

MOST_SCANNED = 5_000_000
"""Records of a source that are looked through for gaps at most, of each partition."""

_STEP = 1_000
_LAST = 100
_PAGE = 5_000
_LOT = 500

T = TypeVar("T")


def starts(log: Log, topic: str, extents: Sequence[Extent], fill: Fill) -> list[Extent]:
    """The part of each partition that is read at once."""
    parts = [newest(extent, fill.newest // len(extents)) for extent in extents]
    second_of, span_s = fill.second_of, fill.span_s
    if second_of is None or span_s is None:
        return parts
    return [replace(part, oldest=span_start(log, topic, part, span_s, second_of)) for part in parts]


def span_start(
    log: Log, topic: str, extent: Extent, span_s: int, second_of: Callable[[Record], int]
) -> int:
    """The offset from which the last `span_s` seconds of a part of a partition come.

    It steps back, twice as far each time, until a record is older, then halves the last step, so
    an eighth more records come than are needed, at most.
    """

    def seconds_at(offset: int, limit: int) -> Iterator[int]:
        for record in browse.page(log, topic, extent.partition, offset, limit):
            with suppress(codec.UnreadableError):
                yield second_of(record)

    most, short, long = extent.next - extent.oldest, 0, _STEP
    # The last offsets may hold no record, as where a log marks the ends of transactions.
    *_, end_s = (None, *seconds_at(extent.next - min(most, _LAST), _LAST))
    if end_s is None:
        return extent.oldest

    def is_older(back: int) -> bool:
        second = next(seconds_at(extent.next - back, 1), None)
        return second is not None and second < end_s - span_s

    while long < most and not is_older(long):
        short, long = long, 2 * long
    long = min(long, most)
    while long - short > max(_STEP, long // 8):
        middle = (short + long) // 2
        short, long = (short, middle) if is_older(middle) else (middle, long)
    return extent.next - long


def lots_before(log: Log, topic: str, extent: Extent, offset: int) -> Iterator[list[Record]]:
    """The records of a partition before an offset by some hundreds, the newest first.

    Those of one lot are in the order of the log.
    """
    for page in _pages(log, topic, replace(extent, next=offset)):
        for end in range(len(page), 0, -_LOT):
            yield page[max(0, end - _LOT) : end]


def gaps_before(log: Log, topic: str, extent: Extent, span_s: int) -> Iterator[list[Record]]:
    """The gap records of each page of a partition of a market's source, the newest page first.

    Until a record is `span_s` seconds older than the newest, or MOST_SCANNED were looked through.
    Pages without a gap are empty.
    """
    newest_ns = None
    for page in _pages(log, topic, newest(extent, MOST_SCANNED)):
        yield [record for record in page if gap_of(record) is not None]
        times_ns = [time_ns for each in (page[:1], page[-1:]) for time_ns in _times_ns(each)]
        newest_ns = max(times_ns, default=None) if newest_ns is None else newest_ns
        if newest_ns is not None and times_ns and times_ns[0] < newest_ns - span_s * NS_PER_S:
            return


def by_turns(iterators: Sequence[Iterator[T]]) -> Iterator[T]:
    """What each of them has next, one after the other, until all have ended."""
    going = list(iterators)
    while going:
        for each in list(going):
            try:
                yield next(each)
            except StopIteration:
                going.remove(each)


def _pages(log: Log, topic: str, extent: Extent) -> Iterator[list[Record]]:
    end = extent.next
    while end > extent.oldest:
        start = max(extent.oldest, end - _PAGE)
        page = browse.page(log, topic, extent.partition, start, end - start)
        yield [record for record in page if record.offset < end]
        end = start


def _times_ns(records: list[Record]) -> list[int]:
    times_ns = []
    for record in records:
        try:
            event = codec.decode_event.of(record)
        except codec.UnreadableError:
            continue
        times_ns.append(event.end_ns if isinstance(event, Gap) else event.event_time_ns)
    return times_ns


def newest(extent: Extent, most: int) -> Extent:
    """The part of a partition that has the newest `most` records."""
    return replace(extent, oldest=max(extent.oldest, extent.next - most))
