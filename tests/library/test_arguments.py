"""What public functions are given is what it should be, or is refused with what to give."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import barograph as bg
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.library import arguments


@pytest.mark.parametrize("case", [5, None, ["spikes"], SPIKES.table])
def test_what_is_no_case_is_refused(case):
    with pytest.raises(BadInputError, match=r"it is no case\. Give the name"):
        arguments.a_case(case)
    assert arguments.a_case("spikes") is arguments.a_case(SPIKES) is SPIKES


@pytest.mark.parametrize("value", [1.0, "1", True, None, np.timedelta64(1, "s"), np.True_])
def test_a_whole_number_is_one(value):
    with pytest.raises(BadInputError, match="no whole number"):
        arguments.whole_number("folds", value, least=1)


def test_a_whole_number_has_a_range():
    assert arguments.whole_number("folds", np.int32(3), least=1) == 3
    with pytest.raises(BadInputError, match=r"folds=0: it is out of range\. Use 1 or more"):
        arguments.whole_number("folds", 0, least=1)
    with pytest.raises(BadInputError, match=r"seed=-1.*Use 0 to 4294967295"):
        arguments.seed_number("seed", -1)


@pytest.mark.parametrize("value", [0, 1, 2, -0.1, float("nan"), "0.9", True, None])
def test_a_share_lies_between_both_ends(value):
    with pytest.raises(BadInputError, match="between 0 and 1"):
        arguments.share("quantile", value)


def test_a_share_of_numpy_is_one():
    assert arguments.share("quantile", np.float32(0.5)) == pytest.approx(0.5)


def test_a_flag_is_no_text_that_happens_to_be_true():
    assert arguments.flag("control", np.True_) is True
    with pytest.raises(BadInputError, match="Use True or False"):
        arguments.flag("control", "no")


@pytest.mark.parametrize("value", ["", 5, None, b"card.html"])
def test_what_names_no_file_is_refused(value):
    with pytest.raises(BadInputError, match=r"no text that names one\. Name a file"):
        arguments.file_path("path", value, "Name a file")
    with pytest.raises(BadInputError, match="no text that names one"):
        arguments.address("address", value)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(BadInputError, match="it is a directory"):
        arguments.file_path("path", tmp_path, "Name a file")
    assert arguments.file_path("path", tmp_path / "a", "Name a file") == tmp_path / "a"
    assert arguments.address("home", Path("H")) == "H"


@pytest.mark.parametrize("value", ["BTC-USD", 5, [5], b"BTC-USD"])
def test_a_text_is_no_list_of_names(value):
    """`"BTC" in "BTC-USD"` is true: each part of it would have been found."""
    with pytest.raises(BadInputError, match=r"products=\['BTC-USD'\]"):
        arguments.names("products", value)


def test_names_may_come_in_any_collection():
    assert arguments.names("products", None) is None
    for given in (["a", "b"], ("b", "a"), {"a", "b"}, pl.Series(["a", "b"])):
        assert set(arguments.names("products", given)) == {"a", "b"}


@pytest.mark.parametrize("value", ["har", ["har"], 5, [object()], {"har": 1}])
def test_what_are_no_candidates_is_refused(value):
    with pytest.raises(BadInputError, match=r"no (list of )?candidates?\. Give a list of those"):
        arguments.candidates(value)


def test_candidates_may_come_one_by_one_but_not_alone():
    har = bg.candidates.har(("observed_vol_60s",))
    assert arguments.candidates(iter([har])) == [har]
    assert arguments.candidates(None) is None
    with pytest.raises(BadInputError, match=r"har is one candidate, no list"):
        arguments.candidates(har)


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        (3, r"Use folds=3, or a splitter \(barograph\.PurgedWalkForward\(3\)\)"),
        ([(np.arange(3), np.arange(3, 6))], r"PurgedWalkForward\(4\)\), which purges"),
        ("kfold", "which purges"),
        (bg.PurgedWalkForward, "it is a class"),
        (True, "which purges"),
    ],
)
def test_what_purges_nothing_is_no_splitter(value, cure):
    with pytest.raises(BadInputError, match=cure):
        arguments.splitter("cv", value)


def test_a_splitter_is_taken():
    cv = bg.PurgedWalkForward(2)
    assert arguments.splitter("cv", cv) is cv
    assert arguments.splitter("cv", None) is None


def test_a_value_is_shown_short():
    assert arguments.shown(pl.DataFrame({"a": range(1000)})).endswith("DataFrame")
    assert len(arguments.shown("x" * 1000)) == 101
    assert arguments.kind(None) == "NoneType"
