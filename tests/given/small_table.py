"""A table of a case, small enough to read."""

import numpy as np

from barograph.cases.case import Table


def table():
    return Table(
        features=("a", "b", "c"),
        x=np.arange(12, dtype=np.float32).reshape(4, 3),
        outcome=np.array([0.0, 1.0, 2.0, 3.0]),
        keys=("one",),
        key=np.zeros(4, np.int64),
        order=np.arange(4),
        session=np.zeros(4, np.int64),
        regime=np.array([0, 0, 0, 1]),
        left_out={},
        unused={},
    )
