"""The middle of bid and ask, which stands for a price that is not there."""

from decimal import Decimal

import numpy as np

from barograph.arrays import Float64
from barograph.venues.forms.fields import middle_of, plain_decimal

_DECIMALS = (2, 5, 8, 11)
"""A middle has one decimal more than its quote, and twelve at most."""

_MOST = 1e15
"""Of numbers with fewer digits no two are one float."""


def middles(bid: Float64, ask: Float64) -> Float64:
    """(n,) the float of the middle of two decimal numbers; NaN where one is unknown.

    bid, ask: (n,) floats, each taken as the number with the fewest digits that it stands for. So it
    is the float of `fields.middle_of`, not half of a sum that was rounded before.
    """
    made = np.full(len(bid), np.nan)
    left = np.flatnonzero((bid > 0) & (ask > 0) & (bid < np.inf) & (ask < np.inf))
    for decimals in _DECIMALS:
        if not len(left):
            return made
        scale = 10.0**decimals
        wholes = [np.rint(side[left] * scale) for side in (bid, ask)]
        is_exact = np.ones(len(left), np.bool_)
        for side, whole in zip((bid, ask), wholes, strict=True):
            # exact: a quotient of exact numbers is the float that stands for its digits
            is_exact &= (whole < _MOST) & (whole / scale == side[left])
        middle = (wholes[0] + wholes[1]) / (2 * scale)
        made[left[is_exact]] = middle[is_exact]
        left = left[~is_exact]
    for row in left:
        texts = [plain_decimal(Decimal(repr(float(side[row])))) for side in (bid, ask)]
        made[row] = float(middle_of(texts[0] or "", texts[1] or ""))
    return made
