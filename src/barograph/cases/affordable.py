"""Which features a history can afford: those that cost few of its rows and are short beside it.

A model predicts where all its features are known. A window that a hole empties costs its length of
rows at each hole; a long one asks for as long a distance between the sides of a fold.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from barograph.arrays import Bool, Float64, Int64, UInt8
from barograph.types import Reason

MOST_COST = 0.05
"""Share of the rows that a feature may cost; of 20 recordings with a hole every few minutes, one of
300 s costs 27 %."""

NEVER_DEAR_S = 30
"""A wait that no history is too full of holes for: every forecast needs some window."""

SHORT_S, LEAST_HISTORY, LEAST_APART = 300, 16, 8
"""A window beyond `SHORT_S` seconds is used of a history at least `LEAST_HISTORY` times as long, or
`LEAST_APART` times one of `APART` regimes, which lie further apart than any window."""

APART = 3
"""Regimes from which on sessions are left out in turn."""


class Window(Protocol):
    """What a feature looks back on."""

    @property
    def name(self) -> str:
        """The name of its column."""

    @property
    def warmup_s(self) -> int:
        """How many known seconds a value waits for."""

    @property
    def reach_s(self) -> int:
        """How far back a value looks, in seconds."""


def unaffordable(  # noqa: PLR0913 - features, and the columns of their rows
    features: Sequence[Window],
    reasons: UInt8,
    key: Int64,
    regime: Int64,
    step_s: int,
    stands_for: Int64 | None = None,
) -> dict[str, str]:
    """The features to leave out, each with the reason.

    reasons: (n, f) of `types.Reason` of these features in the rows with a known outcome; key: (n,)
    whose rows they are, `step_s` apart; regime: (n,) of the rows. What no row offers costs nothing
    here. stands_for: (n,) how many rows each stands for; None where each is one of its own.
    """
    if not len(key):
        return {}
    history_s = int(np.bincount(key, stands_for).max()) * step_s
    times = LEAST_HISTORY if len(np.unique(regime)) < APART else LEAST_APART
    waits = (reasons != Reason.KNOWN) & (reasons != Reason.NOT_OFFERED)
    left_out = {}
    for feature, cost in zip(features, shares(waits, stands_for).tolist(), strict=True):
        if feature.reach_s > max(SHORT_S, history_s // times):
            left_out[feature.name] = f"{history_s:,} s of history are few for {feature.reach_s} s"
        elif cost > MOST_COST and feature.warmup_s > NEVER_DEAR_S:
            left_out[feature.name] = f"it would cost {cost:.0%} of the rows, after holes"
    return left_out


def shares(true: Bool, stands_for: Int64 | None = None) -> Float64:
    """The share (f,) of rows in which each column of (n, f) is true.

    stands_for: (n,) how many rows each stands for; None where each is one of its own.
    """
    share: Float64 = np.average(true, axis=0, weights=stands_for)
    return share
