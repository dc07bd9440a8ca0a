"""How often a worker commits the checkpoints of a partition."""

from collections.abc import Mapping

from barograph.types import NS_PER_S

MOST_RECORDS = 20_000
"""Checkpoints wait for at most so many records of their partition: a restart reads them again."""

MOST_WAIT_NS = 60 * NS_PER_S
"""And for at most so long, so that a short retention still keeps those records."""

BYTES_A_RECORD = 25
"""What the checkpoints of a partition may cost for each record: a tenth of a tick's own bytes."""


class CheckpointCadence:
    """When the checkpoints of one partition are due; no clock, no I/O.

    The states of a few products are committed after `every` records. Those of many would outweigh
    the records that changed them, 50 kB for each, so they wait for as many as they are worth.
    checkpoints: those with which the partition was assigned.
    """

    def __init__(self, checkpoints: Mapping[str, bytes]) -> None:
        self._bytes = sum(map(len, checkpoints.values()))
        self._since_ns: int | None = None

    def is_due(self, every: int, behind: int, now_ns: int) -> bool:
        """Whether to commit them now, `behind` records after the last ones.

        every: the fewest records between two of them. now_ns: of a clock that never goes back.
        """
        if self._since_ns is None:
            self._since_ns = now_ns
        worth = min(self._bytes // BYTES_A_RECORD, MOST_RECORDS)
        waited_ns = now_ns - self._since_ns
        return behind >= every and (behind >= worth or waited_ns >= MOST_WAIT_NS)

    def taken(self, checkpoints: Mapping[str, bytes]) -> None:
        """Begin anew behind these checkpoints, which are about to be committed."""
        self._bytes = sum(map(len, checkpoints.values()))
        self._since_ns = None
