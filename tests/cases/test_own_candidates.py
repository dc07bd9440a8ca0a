"""Candidates of one's own, by the name of what a module defines."""

import pytest

from barograph.cases.own_candidates import own_candidates
from barograph.errors import BadInputError
from barograph.learning.candidates import Candidate

MODULE = """
from barograph.learning.candidates import persistence

ONE = persistence("a", name="one")
SOME = [ONE, persistence("b", name="two")]
NUMBER = 7


def made(features):
    return [persistence(name, name=f"of {name}") for name in features]


def single(features):
    return ONE


def nothing(features):
    return 7
"""


@pytest.fixture(autouse=True)
def _module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours_candidates.py").write_text(MODULE)


def names(name, features=("a", "b")):
    found = own_candidates(f"ours_candidates:{name}")
    return [
        each.name
        for one in found
        for each in ([one] if isinstance(one, Candidate) else one(features))
    ]


def test_a_candidate_a_list_and_a_function_of_the_features_are_taken():
    assert names("ONE") == ["one"]
    assert names("SOME") == ["one", "two"]
    assert names("made") == ["of a", "of b"]
    assert names("single") == ["one"]


def test_anything_else_says_what_can_be_named():
    with pytest.raises(BadInputError, match="it is of type int"):
        names("NUMBER")
    with pytest.raises(BadInputError, match="it is of type"):
        own_candidates("ours_candidates:__name__")
    with pytest.raises(BadInputError, match="returned int"):
        names("nothing")
