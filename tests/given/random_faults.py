"""Scripts of faults that are drawn by chance."""

import numpy as np

from barograph.simulated import fault_script
from barograph.simulated.fault_script import FaultKind, ScriptedFault


def random_script(seed, n, seconds, products, kinds=None):
    """`n` faults of these kinds (all of them), somewhere in `seconds`, by time.

    Each strikes all connections, and one product or all. Spans are of 1 to 20 s, except that a
    clock jumps by up to 2 s either way; counts are at most 5.
    """
    rng = np.random.default_rng(seed)
    kinds = list(kinds or FaultKind)
    return [
        _drawn(rng, kinds[int(rng.integers(len(kinds)))], at_s, products)
        for at_s in np.sort(rng.uniform(0, seconds, n)).round(3).tolist()
    ]


def _drawn(rng, kind, at_s, products):
    takes = fault_script._TAKES[kind]
    seconds = None
    if kind is FaultKind.CLOCK_JUMP:
        seconds = float(rng.choice([-1, 1]) * rng.uniform(0.1, 2.0))
    elif "seconds" in takes:
        seconds = float(rng.uniform(1, 20))
    named = "product" in takes and rng.random() < 0.5
    return ScriptedFault(
        kind,
        at_s,
        seconds=None if seconds is None else round(seconds, 3),
        count=int(rng.integers(fault_script._COUNT.get(kind, 1), 6)) if "count" in takes else 0,
        product=products[int(rng.integers(len(products)))] if named else None,
    )
