"""Sessions: recordings of one product in any order, each with a line of its own.

A recording that is older than what was heard of a product is no late news of it: its events begin
a session. The newest line is put aside, with its counters, until an event comes that is newer than
it; a session gap in the product's records says where one line was left and the other begins. What
was heard is remembered as spans of event time, so no second is heard twice.
"""

from collections.abc import Callable, MutableMapping, Sequence
from typing import NamedTuple

from barograph.types import NS_PER_S, Event, Fault, Gap, GapCause, Heartbeat, Tick
from barograph.venues.continuity_state import ProductContinuity, Span
from barograph.venues.entries import Opening
from barograph.venues.event_times import is_late
from barograph.venues.refusals import FrameRefusedError

APART_NS = 60 * NS_PER_S
"""So much earlier than what was heard a session begins; what is nearer is late. A longer hole ends
a span, so that a session may lie in it.
"""

MAX_SPANS = 256
"""So many spans are remembered of a product; those with the least hole between them become one."""

_UNKNOWN_NS = -(2**63)


class Begun(NamedTuple):
    """A session that begins: the gap before its first event, and what its line has to remember."""

    gap: Gap
    aside: ProductContinuity
    spans: list[Span]


def hear(
    lines: MutableMapping[str, ProductContinuity],
    event: Tick | Heartbeat,
    opening: Opening,
    judge: Callable[[Tick | Heartbeat, Opening], Sequence[Event]],
) -> Sequence[Event]:
    """Judge an event on the line that is its own; return its events behind the gap of a turn.

    Raises FrameRefusedError as `turn` and `judge` do.
    """
    begun = turn(lines, event, opening)
    is_new = event.product not in lines
    events = judge(event, opening)
    line = lines[event.product]
    if is_new:
        begin(line, event.event_time_ns, begun)
    return events if line.owed is None else (*line.pay(), *events)


def turn(
    lines: MutableMapping[str, ProductContinuity], event: Tick | Heartbeat, opening: Opening
) -> Begun | None:
    """Choose the line of an event: the present one, the newest again, or a new one.

    A new one is returned, and its line removed; the newest is put back in place, and owes a gap.
    Raises FrameRefusedError for an event whose second another session has.
    """
    line, time_ns = lines.get(event.product), event.event_time_ns
    if line is None:
        return None
    newest = line.aside
    if newest is not None and not (opening.recorded and is_late(time_ns, newest)):
        _put_back(newest, line, event)
        lines[event.product] = newest
        return None
    if not opening.recorded:
        return None
    if newest is not None and any(first <= time_ns <= last for first, last in line.spans):
        raise FrameRefusedError(
            Fault.LATE, "another recording has this second already", event.product
        )
    if not is_before(time_ns, line):
        return None
    spans = _joined([*line.spans, _span(line)])
    gap = _gap(line, event, time_ns)
    line.owed = None
    del lines[event.product]
    return Begun(gap, newest or line, spans)


def begin(line: ProductContinuity, time_ns: int, begun: Begun | None) -> None:
    """Note when a new line was heard first, and, where it is a session's, what it has to remember.

    The gap of a session is owed: it stands before the first event.
    """
    line.since_ns = time_ns
    if begun is not None:
        line.owed, line.aside, line.spans = begun


def recall(line: ProductContinuity, spans: Sequence[Span]) -> None:
    """Note when the line of an older version was heard; the newest of `spans` is its own."""
    if spans:
        *before, (line.since_ns, _) = sorted(spans)
        line.spans = _joined(before)


def is_before(time_ns: int, line: ProductContinuity) -> bool:
    """Whether an event is older than all that was heard around it, so that it begins a session."""
    if not is_late(time_ns, line):
        return False
    next_ns = min(first for first, last in (*line.spans, _span(line)) if last >= time_ns)
    return next_ns - time_ns >= APART_NS


def split(line: ProductContinuity, time_ns: int) -> None:
    """Note a hole that ends at `time_ns`: a long one divides what was heard in two."""
    if line.since_ns is not None and time_ns - line.newest_ns > APART_NS:
        line.spans = _joined([*line.spans, _span(line)])
        line.since_ns = time_ns


def _put_back(newest: ProductContinuity, line: ProductContinuity, event: Tick | Heartbeat) -> None:
    """Leave a session's line for the newest, which goes on where it was left."""
    own = _span(newest)
    spans = [span for span in (*line.spans, _span(line)) if span[0] != own[0]]
    newest.spans = _joined([*newest.spans, *spans])
    newest.owed = _gap(line, event, newest.newest_ns)
    if newest.connection != event.connection:
        newest.break_off(GapCause.DISCONNECT)


def _gap(line: ProductContinuity, event: Tick | Heartbeat, end_ns: int) -> Gap:
    return Gap(
        product=event.product,
        start_ns=line.newest_ns if line.owed is None else line.owed.start_ns,
        end_ns=end_ns,
        cause=GapCause.SESSION,
        connection=event.connection,
        receive_time_ns=event.receive_time_ns,
    )


def _span(line: ProductContinuity) -> Span:
    """What a line heard since its last long hole; of one whose past is unknown, all before too."""
    return (_UNKNOWN_NS if line.since_ns is None else line.since_ns, line.newest_ns)


def _joined(spans: list[Span]) -> list[Span]:
    """Return the spans in order, those that overlap as one, and at most MAX_SPANS."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    while len(joined) > MAX_SPANS:
        least = min(range(1, len(joined)), key=lambda i: joined[i][0] - joined[i - 1][1])
        joined[least - 1 : least + 1] = [(joined[least - 1][0], joined[least][1])]
    return joined
