"""What is remembered of the hours of one product, and the bytes in which that is kept."""

import numpy as np

from barograph.arrays import Records
from barograph.feature_set.checkpoint import layout_of, seal, unseal
from barograph.feature_set.hourly.catalogue import FEATURE_SET_HASH, LONGEST_WINDOW_H
from barograph.feature_set.hourly.hours import KEPT
from barograph.types import Reason

RING_H = LONGEST_WINDOW_H + 1
"""The hours of the longest window and the one before it, whose close its first return is from."""

STATE = np.dtype(
    [("first", "i8"), ("last", "i8"), ("reason", "i8"), ("hours", "i8", (KEPT, RING_H))]
)
"""All that is remembered of one product; every field is a whole number.

`hours[:, h % RING_H]` is the hour h of the last RING_H ones; zeros where it is unknown. `last` is
the newest, −1 before there is one, `first` the oldest that was known since the beginning or since a
silence of the longest window, and `reason` says which of the two.
"""

_MEANING = 1
"""Counted on when fields keep their names and types and mean something else."""

LAYOUT = layout_of(STATE, FEATURE_SET_HASH, _MEANING)


def new_states(products: int) -> Records:
    """States of products never seen: (products,) of STATE, warming up."""
    states = np.zeros(products, STATE)
    states["last"] = -1
    states["reason"] = int(Reason.WARMUP)
    return states


def checkpoint_of(state: np.void) -> bytes:
    """One of STATE as a checkpoint; equal states give equal bytes."""
    return seal(LAYOUT, state.tobytes())


def state_of(checkpoint: bytes) -> np.void | None:
    """The state that a checkpoint holds; None where it is damaged or of another layout."""
    body = unseal(LAYOUT, STATE.itemsize, checkpoint)
    if body is None:
        return None
    state: np.void = np.frombuffer(body, STATE)[0]
    return state
