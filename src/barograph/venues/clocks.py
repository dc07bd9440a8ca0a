"""How far event times may be ahead of their receipts.

Two clocks differ by what they differ, and delays make a receipt later, never earlier. So the
largest difference of a connection hardly moves, and an event time far above it is a lie or a clock
that was set; three in a row that agree are a clock.
"""

import msgspec

from barograph.types import NS_PER_S
from barograph.venues.numbers import CONFIRMED_BY

LEAP_NS = 2 * NS_PER_S
"""So far above the largest difference an event time is believed at once."""

WINDOW_FRAMES = 1000
"""The largest difference is that of at least so many frames: it falls when a clock is set back."""

APART_NS = 60 * NS_PER_S
"""Clocks that are further apart are none: a market that is played again, perhaps at high speed."""

_LOWEST = -(2**63)


class Clock(msgspec.Struct):
    """Event times of one connection minus their receipts.

    `ahead_ns` is the largest difference that is believed; as long as nothing is known, the clocks
    agree. `highest_ns` is that of the frames up to `until`. The last `above` events in a row were
    above `ahead_ns`, the least of them by `lowest_ns`.
    """

    ahead_ns: int = 0
    highest_ns: int = _LOWEST
    until: int = WINDOW_FRAMES
    above: int = 0
    lowest_ns: int = 0

    def is_plain(self, ahead_ns: int, frames: int) -> bool:
        """Whether there is nothing to judge: other frames of this count were further ahead."""
        return ahead_ns <= self.highest_ns and not self.above and frames < self.until

    def believes(self, ahead_ns: int, frames: int) -> bool:
        """Whether an event so far ahead is believed, as one of a connection of so many frames."""
        if frames >= self.until:
            if self.highest_ns >= -APART_NS:
                self.ahead_ns = min(self.ahead_ns, self.highest_ns)
            self.highest_ns, self.until = _LOWEST, frames + WINDOW_FRAMES
        if ahead_ns <= self.ahead_ns:
            self.above, self.highest_ns = 0, max(self.highest_ns, ahead_ns)
            return True
        if not self.above or abs(ahead_ns - self.lowest_ns) > LEAP_NS:
            self.above, self.lowest_ns = 1, ahead_ns
        else:
            self.above, self.lowest_ns = self.above + 1, min(self.lowest_ns, ahead_ns)
        if self.above >= CONFIRMED_BY:
            self.ahead_ns = self.highest_ns = self.lowest_ns
            self.above = 0
        return ahead_ns - self.ahead_ns <= LEAP_NS
