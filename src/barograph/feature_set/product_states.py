"""The states of a machine, one for each product, given out in the order of first use."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Records
from barograph.codec import UnreadableError
from barograph.errors import ForeignStateError
from barograph.types import Fault


@dataclass(frozen=True, slots=True)
class StateKind:
    """`new` makes so many states; the other two make a checkpoint of one, and one of a checkpoint.

    `state_of` is None for a checkpoint that is damaged or of another kind.
    """

    new: Callable[[int], Records]
    checkpoint_of: Callable[[np.void], bytes]
    state_of: Callable[[bytes], np.void | None]


class ProductStates:
    """States by product, at most `limit` of them; `array` has them in the order of first use."""

    def __init__(self, kind: StateKind, limit: int) -> None:
        self.names: list[str] = []
        self.array = kind.new(0)
        self._kind, self._limit = kind, limit
        self._index: dict[str, int] = {}
        self._changed: set[int] = set()

    def index(self, product: str) -> int:
        """The product's place in `array`.

        Raises UnreadableError for a name beyond the first `limit`.
        """
        index = self._index.get(product)
        if index is None:
            if len(self.names) == self._limit:
                why = f"there are {self._limit:,} products already"
                raise UnreadableError(Fault.UNKNOWN_PRODUCT, why)
            index = self._index[product] = len(self.names)
            self.names.append(product)
            if index >= len(self.array):
                self.array = np.concatenate([self.array, self._kind.new(index + 1)])
        return index

    def changed(self, places: Iterable[int]) -> None:
        """Mark the states at these places for the next `snapshot`."""
        self._changed.update(places)

    def snapshot(self) -> dict[str, bytes]:
        """The states, as bytes, of the products that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {
            self.names[index]: self._kind.checkpoint_of(self.array[index])
            for index in sorted(changed)
        }

    def restore(self, checkpoints: Mapping[str, bytes]) -> None:
        """Take up each product where its checkpoint left it.

        Raises ForeignStateError for a checkpoint that is damaged or of another layout.
        """
        for product, checkpoint in checkpoints.items():
            state = self._kind.state_of(checkpoint)
            if state is None:
                raise ForeignStateError(product)
            place = self.index(product)
            self.array[place] = state
