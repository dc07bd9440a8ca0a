"""Lines of a recording that are plain: their ticks in columns, each with its bytes for the log.

The lane of `venues/coinbase/fast_lane.py` reads them, which gives what the machine gives, or leaves
a line alone. It costs a tenth of the machine, and some of it for each product and each call.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from barograph.codec import EVENT
from barograph.venues.coinbase.fast_lane import Columns
from barograph.venues.coinbase.tick_values import TickValues
from barograph.venues.continuity import Continuity
from barograph.venues.entries import Opening

LINES_A_PRODUCT = 16
"""With fewer lines for each product of a call the machine is as fast."""


class PlainTicks(NamedTuple):
    """Ticks in order: the product and the value of each, and the event times of each product's."""

    products: Sequence[str]
    values: Sequence[bytes]
    times: Mapping[str, Sequence[int]]


_NONE = PlainTicks((), (), {})


def may_be_plain(lines: int, opening: Opening, continuity: Continuity) -> bool:
    """Whether the lane may read so many lines of a connection, and is worth it."""
    if opening.fill or continuity.holds or opening.connection not in continuity.connections:
        return False
    known = len(continuity.accepted)
    return known > 0 and known * LINES_A_PRODUCT <= lines


def plain_ticks(lines: Sequence[bytes], opening: Opening, continuity: Continuity) -> PlainTicks:
    """Take the first lines that are plain; the continuity has heard their ticks then.

    lines: frames of a connection, without newlines and without a receive time. None is taken where
    `may_be_plain` says so.
    """
    if not may_be_plain(len(lines), opening, continuity):
        return _NONE
    places: dict[str, int] = {}
    timeout_s = continuity.rules.silence_timeout_s
    lane = Columns(opening, continuity, timeout_s, lambda p: places.setdefault(p, len(places)))
    # A product that these rules have accepted, by its own name.
    lane.learn([product for name, product in continuity.accepted.items() if name == product])
    block = b"\n".join([*lines, b""])
    values, events = TickValues(opening, len(lines), len(block)), np.zeros(len(lines), EVENT)
    _, taken = lane.take(block, 0, events, 0, values)
    if not taken:
        return _NONE
    lane.give_back()
    of, times_ns = events["product"][:taken], events["event_time_ns"][:taken]
    there, first = np.unique(of, return_index=True)
    names = list(places)
    return PlainTicks(
        [names[place] for place in of.tolist()],
        values.first(taken),
        {names[place]: times_ns[of == place].tolist() for place in there[first.argsort()].tolist()},
    )
