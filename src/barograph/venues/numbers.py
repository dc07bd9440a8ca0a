"""Which of a venue's numbers are believed.

Trade ids, sequence numbers and frame counts only rise, and only so fast. A number that cannot
follow the last one that was believed is doubted; when `CONFIRMED_BY` in a row follow each other,
the venue counts anew.
"""

import msgspec

from barograph.types import NS_PER_S

MOST_PER_S = 10_000
"""So many trades of a product, or frames of a connection, can lie in one second at most."""

BEAT_NS = NS_PER_S
"""A heartbeat's time may be so much behind the trade that it names: other clocks stamp it."""

CONFIRMED_BY = 3
"""So many numbers that follow each other are believed against the one that was believed before."""


class Doubt(msgspec.Struct, frozen=True):
    """The last number that was not believed, its event time, and how many led up to it."""

    number: int
    time_ns: int
    count: int = 1

    @property
    def confirmed(self) -> bool:
        """Whether enough numbers follow each other."""
        return self.count >= CONFIRMED_BY


def may_follow(number: int, known: int, elapsed_ns: int) -> bool:
    """Whether a count that was `known` can stand at `number` after so much event time.

    The same number again may. Within one second, and where event time went back, a whole second's
    worth may have come.
    """
    ahead = number - known
    return 0 <= ahead <= MOST_PER_S + MOST_PER_S * max(elapsed_ns, 0) // NS_PER_S


def doubted(before: Doubt | None, number: int, time_ns: int) -> Doubt:
    """The doubt about a number, counted on from the one before where the number follows that."""
    if (
        before is not None
        and time_ns >= before.time_ns
        and may_follow(number, before.number, time_ns - before.time_ns)
    ):
        return Doubt(number, time_ns, before.count + 1)
    return Doubt(number, time_ns)
