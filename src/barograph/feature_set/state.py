"""What is remembered of one product, and the bytes in which that is kept."""

import numpy as np

from barograph.arrays import Int64, Records
from barograph.codec import NAT
from barograph.feature_set import flow, observed, price, ticks, typical, variance
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feature_set.checkpoint import layout_of, seal, unseal
from barograph.types import Reason

STATE = np.dtype(
    [
        # The grid: what is known of the second that is still open.
        ("second", "i8"),
        ("closed_through", "i8"),
        ("run", "i8"),
        ("quiet_run", "i8"),
        ("reason", "i8"),
        ("open", "i1"),
        ("anchored", "i1"),
        ("trade_told", "i1"),
        ("bid", "f8"),
        ("ask", "f8"),
        ("bid_size", "f8"),
        ("ask_size", "f8"),
        ("volume_24h", "f8"),
        ("last_tick_ns", "i8"),
        ("last_trade_id", "i8"),
        ("high", "f8"),
        ("low", "f8"),
        ("tick_count", "i8"),
        ("second_bought_e8", "i8"),
        ("second_sold_e8", "i8"),
        ("second_without_sizes", "i1"),
        ("log_mid_e9", "i8"),
        # The windows.
        *variance.FIELDS,
        *price.FIELDS,
        *flow.FIELDS,
        *ticks.FIELDS,
        *observed.FIELDS,
        *typical.FIELDS,
    ],
    align=True,
)
"""All that is remembered of one product.

`run` counts the complete seconds since the last hole: a window of w seconds is full when run ≥ w.
`anchored` says that the second before the open one has a closing mid, so a return can be formed.
`reason` says what the last hole was, for the features that have to wait. `trade_told` says that
`last_trade_id` is that of a trade of this second without a quote: its tick counts no second time.
"""


_MEANING = 1
"""Counted on when fields keep their names and types and mean something else."""


def layout_hash() -> str:
    """Identifies what a checkpoint's bytes mean: the catalogue, each field's place and type."""
    return layout_of(STATE, FEATURE_SET_HASH, _MEANING)


LAYOUT = layout_hash()


def _between_fields() -> Int64:
    """The places of the bytes that are no field's: alignment leaves them, and copies do not."""
    free = np.ones(STATE.itemsize, bool)
    for part in (STATE.fields or {}).values():
        free[part[1] : part[1] + part[0].itemsize] = False
    return np.flatnonzero(free)


def _words_of_floats() -> Int64:
    """The places of the float64 fields, counted in words of eight bytes."""
    parts = [part for part in (STATE.fields or {}).values() if part[0].base == np.float64]
    return np.concatenate([part[1] // 8 + np.arange(part[0].itemsize // 8) for part in parts])


_FREE = _between_fields()
_FLOATS = _words_of_floats()


def new_states(products: int) -> Records:
    """States of products never seen: (products,) of STATE, warming up."""
    states = np.zeros(products, STATE)
    states["reason"] = int(Reason.WARMUP)
    states["closed_through"] = NAT
    states["last_trade_id"] = -1
    states["observed_since"] = NAT
    states["minutes_since"] = NAT
    return states


def checkpoint_of(state: np.void) -> bytes:
    """One of STATE as a checkpoint: its layout, its CRC-32 and its bytes.

    Equal states give equal bytes: those between the fields are 0, and every NaN is the same one.
    """
    kept = np.frombuffer(state.tobytes(), np.uint8).copy()
    kept[_FREE] = 0
    floats = kept.view(np.float64)
    unknown = _FLOATS[np.isnan(floats[_FLOATS])]
    floats[unknown] = np.nan
    return seal(LAYOUT, kept.tobytes())


def state_of(checkpoint: bytes) -> np.void | None:
    """The state that a checkpoint holds; None where it is damaged or of another layout.

    The bytes between its fields may be any: earlier versions kept what lay there.
    """
    kept = unseal(LAYOUT, STATE.itemsize, checkpoint)
    if kept is None:
        return None
    state: np.void = np.frombuffer(kept, STATE)[0]
    return state
