"""What `evaluate` is given beside features: labels of any library, candidates, and folds."""

import numpy as np
import polars as pl
import pytest
from sklearn.model_selection import StratifiedKFold

import barograph as bg
from barograph.cases.spikes import SPIKES, SPIKES_10S
from barograph.errors import BadInputError
from barograph.library.evaluated_rows import given_candidates, given_folds, outcome_of
from market_features import features_and_labels


@pytest.fixture(scope="module")
def y(X):
    return bg.label(X)


def test_outcomes_are_the_labels_whatever_frame_they_come_in(X, y):
    ours = outcome_of(X, y, SPIKES, 0.9)
    # exact: the same values
    assert ours.equals(y["future_realized_vol"])
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    for other in (y.to_pandas(), y.to_arrow(), y.lazy().collect()):
        # exact: the same values
        assert outcome_of(X, other, SPIKES, 0.9).equals(ours)


def test_what_are_no_labels_is_refused(X, y):
    for wrong in (None, y["spike"], y["spike"].to_numpy(), [1, 2], {"spike": 1}):
        with pytest.raises(BadInputError, match=r"no frame of labels\. Give what"):
            outcome_of(X, wrong, SPIKES, 0.9)
    with pytest.raises(BadInputError, match="it has no column future_realized_vol"):
        outcome_of(X, X, SPIKES, 0.9)
    text = y.with_columns(pl.lit("much").alias("future_realized_vol"))
    with pytest.raises(BadInputError, match="its columns are not those of labels"):
        outcome_of(X, text, SPIKES, 0.9)
    with pytest.raises(BadInputError, match="its seconds are not whole"):
        outcome_of(X, y.with_columns(pl.col("second") + 0.5), SPIKES, 0.9)
    with pytest.raises(BadInputError, match="its rows are not those of X"):
        outcome_of(X, pl.concat([y, y]), SPIKES, 0.9)


def test_defaults_of_another_case_are_refused_with_those_of_this_one():
    with pytest.raises(BadInputError, match=r"Take it of barograph\.candidates\.default\('spikes-"):
        given_candidates(SPIKES_10S, bg.candidates.default()[:1])
    own = bg.candidates.default("spikes-10s")[:1]
    assert given_candidates(SPIKES_10S, own) == own
    assert given_candidates(SPIKES_10S, None) is None


class Splits:
    """A splitter that yields what it was made with."""

    def __init__(self, fold):
        self._fold = fold

    def split(self, _x, _y, _groups):
        yield self._fold


@pytest.fixture(scope="module")
def table():
    long, labels, _ = features_and_labels(1.5, seed=4)
    return SPIKES.table(long.rows(labels["future_realized_vol"]))


@pytest.mark.parametrize(
    ("fold", "why"),
    [
        (5, "its split gives int"),
        ((1, 2), r"of the shape \(\)"),
        (([0.5], [1]), "a side of a fold is float64"),
        (([True], [False]), "a side of a fold is bool"),
        (([-1], [2]), "names row -1"),
        (([0], [10**9]), "names row 1000000000"),
    ],
)
def test_a_splitter_that_gives_no_places_of_rows_is_refused(table, fold, why):
    with pytest.raises(BadInputError, match=why):
        given_folds(Splits(fold), table, 60)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_a_splitter_that_refuses_these_labels_says_so(table):
    with pytest.raises(BadInputError, match="its split failed: Supported target types"):
        given_folds(StratifiedKFold(2), table, 60)


def test_folds_are_places_in_the_table(table):
    cv = bg.PurgedWalkForward(2, embargo_s=60)
    protocol, folds = given_folds(cv, table, 60)
    assert (protocol, len(folds)) == ("given", 2)
    for fold in folds:
        assert table.order[fold.train].max() < table.order[fold.test].min()
        assert np.intersect1d(fold.train, fold.test).size == 0
