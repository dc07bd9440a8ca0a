"""Whether the receive times of a table leave all its event times believed."""

from barograph.arrays import Int64
from barograph.codec import NAT
from barograph.venues.clocks import APART_NS, LEAP_NS, Clock
from barograph.venues.coinbase.row_lane import Rows


def all_believed(rows: Rows, future_ns: int) -> bool:
    """Whether no event is further ahead of its receipt than the machine believes.

    future_ns: so far at most, whatever the others of its connection are.
    """
    known = (rows.time_ns >= 0) & (rows.received_ns != NAT)
    ahead_ns = (rows.time_ns - rows.received_ns)[known]
    if not len(ahead_ns):
        return True
    # What is believed never lies below the least difference, so most tables are judged at once.
    least_ns = min(0, max(int(ahead_ns.min()), -APART_NS))
    if ahead_ns.max() <= min(least_ns + LEAP_NS, future_ns):
        return True
    return bool(ahead_ns.max() <= future_ns) and _clock_believes(ahead_ns)


def _clock_believes(ahead_ns: Int64) -> bool:
    clock = Clock()
    for frames, ahead in enumerate(ahead_ns.tolist(), 1):
        if clock.is_plain(ahead, frames):
            continue
        believed_ns = clock.ahead_ns
        if not clock.believes(ahead, frames) or clock.ahead_ns - believed_ns > LEAP_NS:
            return False
    return True
