"""Seconds of rows in any other unit, number or shape would void the purge: they are refused."""

import numpy as np
import polars as pl
import pytest

import barograph as bg
from barograph.errors import BadInputError
from barograph.library.split_rows import columns_of, known_rows, seconds_of

SECOND = np.arange(1_750_000_000, 1_750_001_000)
X = pl.DataFrame({"spread_bps": np.ones(1000)})


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        (SECOND[:10], "they have 10 rows and X has 1,000"),
        (SECOND * 10**3, r"milliseconds\. Divide them \(groups // 1000\)"),
        (SECOND * 10**6, r"microseconds\. Divide them \(groups // 1000000\)"),
        (SECOND * 10**9, r"nanoseconds\. Divide them \(groups // 1000000000\)"),
        (SECOND.astype(np.uint64) + 2**63, "no epoch seconds from 1970 to 2262"),
        (SECOND - 2_000_000_000, "no epoch seconds from 1970 to 2262"),
        (np.where(SECOND[3] == SECOND, np.nan, SECOND), "1 of 1,000 rows have no second"),
        (pl.Series(SECOND).set(pl.Series(SECOND[2] > SECOND), None), "2 of 1,000 rows have no"),
        ([None, *SECOND[1:]], "1 of 1,000 rows have no second"),
        (SECOND.astype(float), "no column of whole epoch seconds but float64"),
        (SECOND.astype("datetime64[s]"), "no column of whole epoch seconds but datetime64"),
        (SECOND.astype(str), "no column of whole epoch seconds"),
        (SECOND > 0, "no column of whole epoch seconds but bool"),
        (SECOND[:, None], r"the shape \(1000, 1\)"),
        (5, r"the shape \(\)"),
        (None, "the seconds of the rows are not known"),
    ],
    ids=repr,
)
def test_what_are_no_epoch_seconds_of_the_rows_is_refused(groups, why):
    for cv in (bg.PurgedWalkForward(2, min_rows=50), bg.LeaveSessionOut(min_rows=50)):
        with pytest.raises(BadInputError, match=why):
            next(cv.split(X, None, groups))


@pytest.mark.parametrize(
    "groups",
    [SECOND, SECOND.tolist(), pl.Series(SECOND), SECOND.astype(np.uint64), SECOND.astype(object)],
)
def test_whole_epoch_seconds_are_taken_in_any_column(groups):
    for rows in (X, None, np.ones((1000, 2))):
        # exact: whole numbers
        np.testing.assert_array_equal(seconds_of(rows, groups), SECOND)


def test_the_column_of_the_rows_is_checked_too():
    frame = X.with_columns(second=pl.Series(SECOND))
    # exact: whole numbers
    np.testing.assert_array_equal(seconds_of(frame, None), SECOND)
    with pytest.raises(BadInputError, match="milliseconds"):
        seconds_of(frame.with_columns(pl.col("second") * 1000), None)
    assert columns_of(frame) == ["spread_bps", "second"]
    assert columns_of(np.ones(3)) == []


def test_nullable_columns_of_pandas_are_read():
    pandas = pytest.importorskip("pandas")
    whole = pandas.Series(SECOND, dtype="Int64")
    # exact: whole numbers
    np.testing.assert_array_equal(seconds_of(X, whole), SECOND)
    assert known_rows(pandas.array([1, None, 0], dtype="Int64"), 3).tolist() == [True, False, True]


def test_labels_are_one_column_of_the_rows():
    assert known_rows(None, 2).tolist() == [True, True]
    assert known_rows(["a", "b"], 2).tolist() == [True, True]
    assert known_rows([None, 1], 2).tolist() == [False, True]
    with pytest.raises(BadInputError, match=r"the shape \(1000, 1\).*such as y\['spike'\]"):
        known_rows(X, 1000)
    with pytest.raises(BadInputError, match="y has 2 rows and groups 3"):
        known_rows([1, 0], 3)
