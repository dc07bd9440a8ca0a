"""Which event times of a line are believed.

What an event closes cannot be opened again: the features of its seconds have been written. So a
tick of a second that is closed is refused as late, and its line is broken: where its price
belongs is unknown.
"""

from barograph.types import NS_PER_S, Fault, GapCause, Heartbeat, Tick
from barograph.venues.continuity_state import ProductContinuity
from barograph.venues.entries import Opening
from barograph.venues.numbers import BEAT_NS
from barograph.venues.refusals import FrameRefusedError


def is_late(time_ns: int, line: ProductContinuity) -> bool:
    """Whether an event of the line has closed the second already, on whatever connection."""
    return time_ns // NS_PER_S < line.newest_ns // NS_PER_S


def check_tick_time(tick: Tick, line: ProductContinuity, opening: Opening) -> None:
    """Raise FrameRefusedError for a tick that is late, unless its id says that it is no news.

    Snapshots after a subscription are such ticks: they tell an old trade once more.
    """
    time_ns = tick.event_time_ns
    if not is_late(time_ns, line):
        return
    counted = opening.continuity == "trade_id" and line.trade_id is not None
    if counted and tick.trade_id is not None and tick.trade_id <= line.trade_id:  # type: ignore[operator]  # counted says that there is one
        return
    line.break_off(GapCause.REFUSED, 1)
    raise late(time_ns, line, tick.product)


def check_beat_time(beat: Heartbeat, line: ProductContinuity) -> None:
    """Raise FrameRefusedError for a heartbeat that is late by more than its clock may differ."""
    if is_late(beat.event_time_ns + BEAT_NS, line):
        raise late(beat.event_time_ns, line, beat.product)


def late(time_ns: int, line: ProductContinuity, product: str) -> FrameRefusedError:
    """Return the refusal of an event whose second has closed."""
    behind_s = (line.newest_ns - time_ns) / NS_PER_S
    return FrameRefusedError(
        Fault.LATE, f"{behind_s:.3f} s behind what was heard: its second had closed", product
    )
