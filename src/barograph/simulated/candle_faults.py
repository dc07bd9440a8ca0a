"""What goes wrong with candles on purpose, counted in requests: a machine without socket and clock.

A script's tables `[[candle_fault]]` stand beside its `[[fault]]`.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class CandleFaultKind(StrEnum):
    """Kinds of scripted faults of the candle endpoints."""

    LIMITED = "limited"
    DOWN = "down"
    TRUNCATED = "truncated"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    UNFINISHED = "unfinished"
    CURRENCY = "currency"
    MISSING = "missing"
    REVISED = "revised"


class CandleFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault: it strikes `count` requests for candles, the first of them the `request`-th.

    Requests are counted from 1. A `revised` hour stays so. Raises ValueError for numbers below 1.
    """

    kind: CandleFaultKind
    request: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if min(self.request, self.count) < 1:
            raise ValueError("request and count are at least 1")


class CandleFaults:
    """Applies a script to the requests for candles, one after the other.

    `struck` counts the requests that each fault struck, by its place in the script.
    """

    def __init__(self, script: Sequence[CandleFault]) -> None:
        self._script = tuple(script)
        self.requests = 0
        self.struck = [0] * len(self._script)

    def next(self) -> CandleFaultKind | None:
        """Count one more request; what strikes it: the first fault of the script that does."""
        self.requests += 1
        for place, fault in enumerate(self._script):
            if fault.request <= self.requests < fault.request + fault.count:
                self.struck[place] += 1
                return fault.kind
        return None
