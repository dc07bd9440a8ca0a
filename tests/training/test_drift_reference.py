"""What a training keeps of its rows for drift; the whole of it is in the stories of trainings."""

import numpy as np
import polars as pl

from barograph.training.drift_reference import rows_of


def test_rows_are_by_key_with_nan_for_what_is_not_known():
    frame = pl.DataFrame(
        {"product": ["a", "b", "a"], "second": [1, 1, 2], "x": [1.0, None, 3.0], "y": [1, 2, None]}
    )
    rows = rows_of(frame, ("y", "x"))
    assert list(rows) == ["a", "b"]
    assert rows["a"].second.tolist() == [1, 2]
    np.testing.assert_allclose(rows["a"].values, [[1.0, 1.0], [np.nan, 3.0]])
    np.testing.assert_allclose(rows["b"].values, [[2.0, np.nan]])
