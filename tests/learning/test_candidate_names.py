"""Names, features and repeats that a candidate may have, however it is made."""

import math

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from barograph.errors import BadInputError
from barograph.learning import candidates
from barograph.learning.candidate_names import feature_names, refuse_unusable
from barograph.learning.estimators import from_sklearn
from barograph.learning.ready_graphs import from_onnx
from barograph.training.walkforward import CHOSEN
from foreign_graphs import graph

VOLS = ("observed_vol_10s", "observed_vol_60s")


def of_sklearn(**given):
    return from_sklearn(DecisionTreeClassifier(), **({"features": VOLS, "name": "mine"} | given))


def of_onnx(**given):
    return from_onnx(graph(width=2), **({"features": VOLS, "name": "mine"} | given))


MAKERS = [of_sklearn, of_onnx]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("chosen", "what the folds chose"),
        ("", "not 1 to 100 letters"),
        (" mine", "not 1 to 100 letters"),
        ("two\nlines", "not 1 to 100 letters"),
        ("mine!", "not 1 to 100 letters"),
        ("a/b", "not 1 to 100 letters"),
        ("..", "not 1 to 100 letters"),
        ("m" * 101, "not 1 to 100 letters"),
        (5, "its name is no text"),
        (None, "its name is no text"),
    ],
)
def test_a_name_that_is_none_or_is_taken_is_refused_as_the_candidate_is_made(make, name, why):
    """One that was called `chosen` vanished from the scores."""
    with pytest.raises(BadInputError, match=why):
        make(name=name)


def test_the_name_of_what_folds_chose_is_the_one_that_is_taken():
    with pytest.raises(BadInputError):
        candidates.persistence(name=CHOSEN)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("repeats", [0, -1, math.nan, math.inf, "60", None, True])
def test_repeats_are_a_number_above_zero(make, repeats):
    with pytest.raises(BadInputError, match="is no number above 0"):
        make(repeats=repeats)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("features", "why"),
    [
        ("ewma_vol_60s", r"no list of names\. Give a list \(features=\['ewma_vol_60s'\]\)"),
        (None, "no list of names"),
        ([1, 2], "not all names: 1"),
        (["observed_vol_10s", ""], "not all names: ''"),
        ([], "its features are none"),
        (["observed_vol_10s"] * 2, "Name each once"),
    ],
)
def test_features_are_a_list_of_names_each_once(make, features, why):
    with pytest.raises(BadInputError, match=why):
        make(features=features)


@pytest.mark.parametrize(
    "make",
    [candidates.har, candidates.climatology, candidates.logistic, candidates.gradient_boosting],
)
def test_a_text_is_never_taken_for_its_letters(make):
    with pytest.raises(BadInputError, match="no list of names"):
        make("ewma_vol_60s")


def test_what_is_usable_is_taken():
    refuse_unusable("mine: of 2026", np.int64(1))
    refuse_unusable("é" * 100, 0.5)
    assert feature_names("mine", np.array(["a", "b"])) == ("a", "b")
    assert candidates.gradient_boosting(["a", "b"]).features == ("a", "b")
