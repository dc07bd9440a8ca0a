"""Splits in time for scikit-learn: no second is used by both sides, and unknown rows by none."""

import copy
import pickle

import numpy as np
import polars as pl
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_score
from sklearn.pipeline import make_pipeline

import barograph as bg
from barograph.errors import BadInputError, TooLittleDataError

COLUMNS = ["realized_vol_60s", "realized_vol_30s", "tick_intensity_60s"]
DAY_S = 86_400


def market(seed=1, *, sessions=3, length=900):
    """Rows of two products and several sessions: columns, labels with nulls, seconds; shuffled."""
    rng = np.random.default_rng(seed)
    second = np.concatenate([day * DAY_S + np.arange(length) for day in range(sessions)])
    second = rng.permutation(np.repeat(second, 2)) + 1_750_000_000
    X = pl.DataFrame({name: rng.normal(size=len(second)) for name in COLUMNS})
    spike = rng.integers(0, 2, len(second)).astype(np.int8)
    y = pl.Series("spike", spike).set(pl.Series(rng.random(len(second)) < 0.1), None)
    return X, y, pl.Series("second", second)


SPLITTERS = [
    bg.PurgedWalkForward(3, horizon_s=60, embargo_s=120, min_rows=50),
    bg.LeaveSessionOut(horizon_s=60, embargo_s=120, min_rows=50),
]


@pytest.mark.filterwarnings("ignore:embargo_s")
@given(
    seconds=st.lists(st.integers(0, 5_000), min_size=40, max_size=300),
    unknown=st.lists(st.integers(0, 39), max_size=20),
    horizon_s=st.integers(1, 90),
    embargo_s=st.integers(0, 300),
    hole_s=st.sampled_from([None, 50, 400]),
)
def test_no_label_or_window_of_a_train_row_shares_a_second_with_a_test(
    seconds, unknown, horizon_s, embargo_s, hole_s
):
    second = np.array(seconds)
    y = np.zeros(len(second))
    y[unknown] = np.nan
    options = {"horizon_s": horizon_s, "embargo_s": embargo_s, "min_rows": 2}
    if hole_s is None:
        cv = bg.PurgedWalkForward(3, **options)
    else:
        cv = bg.LeaveSessionOut(**options, hole_s=hole_s)
    try:
        folds = list(cv.split(None, y, second))
    except TooLittleDataError:
        return
    assert len(folds) == cv.get_n_splits(None, y, second)
    tested = np.concatenate([test for _, test in folds])
    assert len(np.unique(tested)) == len(tested)
    for train, test in folds:
        assert len(train) >= 2
        assert not np.isnan(y[np.concatenate((train, test))]).any()
        for s in second[train]:
            for t in second[test]:
                early, late = sorted((int(s), int(t)))
                assert late - embargo_s > early + horizon_s
        if hole_s is None:
            assert second[train].max() < second[test].min()


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_scikit_learn_takes_it_for_a_splitter(cv):
    X, y, second = market()
    assert check_cv(cv) is cv
    for other in (clone(cv, safe=False), copy.deepcopy(cv), pickle.loads(pickle.dumps(cv))):  # noqa: S301 - our own
        assert repr(other) == repr(cv)
    folds = list(cv.split(X, y, second))
    assert cv.get_n_splits(X, y, second) == len(folds) == 3
    for one, other in zip(folds, cv.split(X, y, second), strict=True):
        for rows, again in zip(one, other, strict=True):
            # exact: places of rows
            np.testing.assert_array_equal(rows, again)
            assert (np.diff(rows) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_it_works_where_scikit_learn_validates(cv):
    X, y, second = market()
    how = {"cv": cv, "scoring": "average_precision", "error_score": "raise"}
    forest = RandomForestClassifier(5, random_state=1)
    scores = cross_val_score(forest, X, y, groups=second, **how)
    assert len(scores) == 3
    model = make_pipeline(SimpleImputer(), LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, **how, refit=False)
    assert search.fit(X, y, groups=second).n_splits_ == 3
    with sklearn.config_context(enable_metadata_routing=True):
        routed = cross_val_score(forest, X, y, params={"groups": second}, **how)
    np.testing.assert_allclose(routed, scores)


@pytest.mark.slow
def test_frames_of_pandas_are_split_alike():
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    X, y, second = market()
    how = {"cv": SPLITTERS[0], "scoring": "average_precision", "error_score": "raise"}
    forest = RandomForestClassifier(5, random_state=1)
    scores = cross_val_score(forest, X, y, groups=second, **how)
    of_pandas = cross_val_score(forest, X.to_pandas(), y.to_pandas(), groups=second, **how)
    np.testing.assert_allclose(of_pandas, scores)


@pytest.mark.slow
def test_features_bring_their_seconds(X):
    y = bg.label(X)["spike"]
    cv = bg.PurgedWalkForward(2, embargo_s=3600, min_rows=50)
    frame = X.frame.filter(pl.col("product") == "BTC-USD").select("second", "spread_bps")
    with pytest.raises(TooLittleDataError):
        list(cv.split(frame, y.head(len(frame))))  # half an hour has no two sides an hour apart
    cv = bg.PurgedWalkForward(2, min_rows=50)
    folds = list(cv.split(frame, y.head(len(frame))))
    assert [len(fold) for fold in folds] == [2, 2]


def test_the_embargo_is_the_longest_window_of_the_columns():
    X, y, second = market()
    wide = X.rename({COLUMNS[0]: "observed_vol_300s"})
    ours = list(bg.PurgedWalkForward(2, min_rows=50).split(wide, y, second))
    by_hand = list(bg.PurgedWalkForward(2, embargo_s=300, min_rows=50).split(wide, y, second))
    for one, other in zip(ours, by_hand, strict=True):
        # exact: places of rows
        np.testing.assert_array_equal(one[0], other[0])


@pytest.mark.parametrize("kind", [bg.PurgedWalkForward, bg.LeaveSessionOut])
def test_an_embargo_that_is_shorter_than_a_window_is_warned_of_where_it_is_split(kind):
    X, y, second = market()
    with pytest.warns(UserWarning, match="less than the 60 s of realized_vol_60s") as said:
        next(kind(embargo_s=30, min_rows=50).split(X, y, second), None)
    assert [one.filename for one in said] == [__file__]


def test_what_cannot_be_split_is_refused():
    X, y, second = market()
    cv = bg.PurgedWalkForward(2, min_rows=50)
    with pytest.raises(BadInputError, match="the seconds of the rows are not known"):
        next(cv.split(X, y))
    with pytest.raises(BadInputError, match="no column of whole epoch seconds"):
        next(cv.split(X, y, second.cast(pl.Float64)))
    with pytest.raises(BadInputError, match="y has"):
        next(cv.split(X, y.head(5), second))
    with pytest.raises(TooLittleDataError):
        next(bg.PurgedWalkForward(2).split(X.head(9), y.head(9), second.head(9)))
    with pytest.raises(BadInputError, match=r"n_splits=0: it is out of range\. Use 1 to 10000"):
        bg.PurgedWalkForward(0)


def test_a_dummy_is_scored_on_known_rows_alone():
    X, y, second = market()
    scores = cross_val_score(
        DummyClassifier(strategy="prior"), X, y, groups=second, cv=SPLITTERS[0], scoring="accuracy"
    )
    assert not np.isnan(scores).any()


@pytest.mark.parametrize(
    "numbers", [{"n_splits": 10**9}, {"embargo_s": 10**30}, {"horizon_s": 10**19}]
)
def test_numbers_have_an_end(numbers):
    with pytest.raises(BadInputError, match="out of range"):
        bg.PurgedWalkForward(**numbers)
