import inspect
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import errors
from barograph.errors import BadInputError, BarographError

FACTS = {
    int: 7,
    float: 0.25,
    str: "the fact",
    list[str]: ["one fact", "another"],
}
CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, BarographError) and member is not BarographError
]


def _raised(error):
    signature = inspect.signature(error.__init__)
    given = {n: FACTS[p.annotation] for n, p in signature.parameters.items() if n != "self"}
    return error(**given), given


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_keeps_its_facts(error):
    raised, given = _raised(error)
    assert {name: getattr(raised, name) for name in given} == given


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_is_one_line_that_names_its_facts(error):
    raised, given = _raised(error)
    text = str(raised)
    assert "\n" not in text
    assert text.endswith(".")
    assert all("fact" in text for fact in given.values() if isinstance(fact, str))


def test_every_error_can_be_caught_at_the_door():
    declared = [m for _, m in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(error, BarographError) for error in declared)


@given(st.binary(max_size=40))
def test_an_error_is_one_printable_line_whatever_the_name(name):
    assert str(BadInputError(os.fsdecode(name), "why", "Cure")).isprintable()
