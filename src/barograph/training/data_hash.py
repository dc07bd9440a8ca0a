"""The identity of a dataset's events: their number by kind, and a hash.

Several processes can make the hash together: each product's events, in their order, are cut into
blocks of BLOCK_EVENTS, and each block is hashed by itself; the product's hash is that of its
blocks' hashes. So whoever reads some whole blocks can hash them, wherever the rest is read, and the
whole does not depend on how the reading was divided.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from barograph.arrays import Int64, Records
from barograph.codec import EVENT, FILLED, GAP, HEARTBEAT, TICK, TRADE

BLOCK_EVENTS = 1 << 16
"""Events of a product that are hashed as one."""

_FIELDS = dict(EVENT.fields or {})
_BYTES = EVENT.itemsize


def _unhashed() -> Int64:
    """The places of an event's bytes that are no field's, or its product's: those are undefined."""
    free = np.ones(_BYTES, bool)
    for name, (dtype, offset, *_) in _FIELDS.items():
        if name != "product":
            free[offset : offset + dtype.itemsize] = False
    return np.flatnonzero(free)


_UNHASHED = _unhashed()

_KINDS = {"tick": [TICK], "heartbeat": [HEARTBEAT], "gap": [GAP], "trade": [TRADE, FILLED]}


def events_by_kind(events: Records) -> dict[str, int]:
    """How many ticks, heartbeats, gaps and trades there are in (n,) of `codec.EVENT`."""
    count = np.bincount(events["kind"], minlength=FILLED + 1)
    return {name: int(count[kinds].sum()) for name, kinds in _KINDS.items()}


class DataHash:
    """Hashes the events of any products, each product's in their order."""

    def __init__(self) -> None:
        self._products: dict[str, _ProductHash] = {}

    def add(self, events: Records, product_name: Callable[[int], str]) -> None:
        """Add events (n,) of `codec.EVENT`. product_name: of an event's `product`."""
        products = events["product"]
        order = np.argsort(products.astype(np.uint16), kind="stable")
        products, whole = products[order], memoryview(_bytes_of(events, order))
        starts = [0, *(np.flatnonzero(np.diff(products)) + 1).tolist()] if len(products) else []
        for start, stop in pairwise([*starts, len(products)]):
            name = product_name(int(products[start]))
            self._of(name).add(whole[start * _BYTES : stop * _BYTES])

    def add_blocks(self, product: str, events: int, blocks: Sequence[bytes]) -> None:
        """Add what `blocks_of` returned for so many events, which begin with a block."""
        self._of(product).add_blocks(events, blocks)

    def hexdigest(self, products: Sequence[str]) -> str:
        """The hash of all events so far. products: all of them, in the order of the table."""
        whole = [self._products[name].summary(name) for name in products if name in self._products]
        return hashlib.sha256(msgspec.json.encode(whole)).hexdigest()

    def _of(self, product: str) -> "_ProductHash":
        if product not in self._products:
            self._products[product] = _ProductHash()
        return self._products[product]


def blocks_of(events: Records) -> list[bytes]:
    """The SHA-256 of each block of one product's events, the first of which begins a block."""
    return [
        hashlib.sha256(_bytes_of(events[start : start + BLOCK_EVENTS])).digest()
        for start in range(0, len(events), BLOCK_EVENTS)
    ]


class _ProductHash:
    def __init__(self) -> None:
        self._events = 0
        self._block, self._whole = hashlib.sha256(), hashlib.sha256()
        self._last = b""  # the hash of a block that is not full, where it came as such

    def add(self, events: memoryview) -> None:
        while events:
            left = (BLOCK_EVENTS - self._events % BLOCK_EVENTS) * _BYTES
            some, events = events[:left], events[left:]
            self._block.update(some)
            self._events += len(some) // _BYTES
            if self._events % BLOCK_EVENTS == 0:
                self._whole.update(self._block.digest())
                self._block = hashlib.sha256()

    def add_blocks(self, events: int, blocks: Sequence[bytes]) -> None:
        if self._events % BLOCK_EVENTS:
            raise ValueError(self._events)
        self._events += events
        *whole, last = blocks
        for block in whole:
            self._whole.update(block)
        if self._events % BLOCK_EVENTS:
            self._last = last
        else:
            self._whole.update(last)

    def summary(self, name: str) -> tuple[str, int, str]:
        whole = self._whole.copy()
        if self._events % BLOCK_EVENTS:
            whole.update(self._last or self._block.digest())
        return name, self._events, whole.hexdigest()


def _bytes_of(events: Records, order: Int64 | None = None) -> bytes:
    # As plain bytes: NumPy copies records field by field.
    whole = np.ascontiguousarray(events).view(f"V{_BYTES}")
    whole = whole.copy() if order is None else whole[order]
    whole.view(np.uint8).reshape(len(events), _BYTES)[:, _UNHASHED] = 0
    return whole.tobytes()
