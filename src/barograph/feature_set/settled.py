"""What of a state decides the rows to come: two histories that agree in it have the same future.

Windows forget. What stands in a ring beyond its window, how long ago a full run began, the sums of
a run that a hole ended: none of it reaches a row any more, but all of it lies in the state.
`settled` is a state without it. So a reader that begins in the middle of a history, and compares
what it has with what a reader of the whole has, knows that all its rows from there on are the same
to the bit: no argument about the length of windows is needed.
"""

import hashlib

import numpy as np

from barograph.codec import NAT
from barograph.feature_set import flow, price, ticks, variance
from barograph.feature_set.catalogue import LONGEST_WINDOW_S, MINUTE_S
from barograph.feature_set.state import STATE, checkpoint_of

_RUN_FIELDS: list[str] = [
    str(field[0]) for of in (variance, price, flow, ticks) for field in of.FIELDS
]
"""Of windows that a hole ends: they know the seconds of the run alone."""

_RINGS: dict[str, int] = {name: STATE[name].shape[0] for name in _RUN_FIELDS if STATE[name].shape}
_LEVELS = {"volumes_24h": _RINGS.pop("volumes_24h")}
"""Rings of levels, which know that of the second that the run starts from, too."""

_SUMS = [name for name in _RUN_FIELDS if name not in _RINGS and "_sum" in name]
_CHANGES = ["volume_24h_change_60", "volume_24h_change_300"]  # formed anew with each second
_OPEN = [
    "second", "quiet_run", "trade_told", "bid", "ask", "bid_size", "ask_size", "volume_24h",
    "last_tick_ns", "high", "low", "tick_count", "second_bought_e8", "second_sold_e8",
    "second_without_sizes", "tick_log_mid_e9", "second_quotes", "second_moves_e18",
    "second_spreads_e9",
]  # fmt: skip
"""Of a second that is open, and set when one opens."""

_ENOUGH_S = LONGEST_WINDOW_S + MINUTE_S
"""After so long a run every window is full, and no value has a reason."""

_OVER_HOLES = (
    ("observed", "observed", "observed_square_sums", "observed_counts"),
    ("minutes_e8", "minutes", "minute_sums_e8", "minute_counts"),
)
"""Rings that carry on over holes: name, what their ends begin with, sums, counts."""


def settled(state: np.void) -> np.void:
    """A copy of one of STATE with all that no later row depends on set to 0."""
    state = state.copy()
    if not state["open"]:
        for name in _OPEN:
            state[name] = 0
    if not state["anchored"]:
        state["log_mid_e9"] = 0
    run = int(state["run"])
    state["run"] = min(run, _ENOUGH_S)
    if run >= _ENOUGH_S:
        state["reason"] = 0
    for name in _CHANGES:
        state[name] = 0
    if run == 0:
        for name in _SUMS:
            state[name] = 0
    last = int(state["second"]) - 1  # where it is not open, the run is empty
    _keep(state, _RINGS, last, run)
    _keep(state, _LEVELS, last, run + 1 if state["anchored"] else 0)
    for ring, ends, sums, counts in _OVER_HOLES:
        _settle_over_holes(state, ring, ends, (sums, counts))
    return state


def digest_of(state: np.void) -> str:
    """The SHA-256 of what is settled of one of STATE."""
    return hashlib.sha256(checkpoint_of(settled(state))).hexdigest()


def _keep(state: np.void, rings: dict[str, int], last: int, seconds: int) -> None:
    """Leave in rings what the `seconds` up to `last` put there."""
    for name, size in rings.items():
        if seconds < size:
            kept = np.arange(last - seconds + 1, last + 1) % size
            ring = np.zeros_like(state[name])
            ring[kept] = state[name][kept]
            state[name] = ring


def _settle_over_holes(state: np.void, ring: str, ends: str, totals: tuple[str, str]) -> None:
    """Leave of a ring that carries on over holes the seconds since its session began."""
    since, through = int(state[f"{ends}_since"]), int(state[f"{ends}_through"])
    if since == NAT:
        for name in (ring, f"{ends}_through", *totals):
            state[name] = 0
        return
    size = len(state[ring])
    state[f"{ends}_since"] = max(since, through - size + 1)
    _keep(state, {ring: size}, through, through - since + 1)
