"""What a worker drives: a function of the records that it received, kept and restored by key."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from barograph.types import Outcome, Record


@runtime_checkable
class Machine(Protocol):
    """What turns records into values: no socket, no clock, no file."""

    def receive(self, records: Sequence[Record]) -> Outcome:
        """The values and dead letters that follow from these records and all before them."""

    def snapshot(self) -> Mapping[str, bytes]:
        """The checkpoints, by key, of what changed since the last call; no key begins with NUL."""

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each key where its checkpoint left it; ForeignStateError for one of another kind.

        After that error the machine is not used any more.
        """
