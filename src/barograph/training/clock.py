"""The time of a table's orders."""

from typing import NamedTuple, TypeVar

import numpy as np

from barograph.arrays import Int64
from barograph.cases.case import Case, Table
from barograph.types import NS_PER_S

_Order = TypeVar("_Order", int, Int64)


class Clock(NamedTuple):
    """Converts orders, which are linear in time, to Unix nanoseconds."""

    first: int
    first_ns: int
    unit_ns: int

    def ns(self, order: _Order) -> _Order:
        """The time of an order, or of each of several."""
        return self.first_ns + (order - self.first) * self.unit_ns

    def orders(self, seconds: int) -> int:
        """How many orders so many seconds are, at least 1."""
        return max(1, seconds * NS_PER_S // self.unit_ns)


def clock_of(case: Case, table: Table) -> Clock:
    """The clock of a table of a case with time; a second for each order if all orders are one."""
    order = table.order
    ends = [np.array([order.argmin()]), np.array([order.argmax()])]
    first, last = (int(order[row[0]]) for row in ends)
    first_ns, last_ns = (case.span_ns(table, row)[0] for row in ends)
    unit_ns = (last_ns - first_ns) // (last - first) if last > first else NS_PER_S
    return Clock(first, first_ns, unit_ns)
