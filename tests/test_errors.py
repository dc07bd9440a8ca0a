import inspect
import os
from multiprocessing import Pipe

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import errors
from barograph.errors import (
    BadInputError,
    BarographError,
    LogError,
    OutageError,
    UnsupportedLogError,
    facts_and_cure,
)

KINDS = {BarographError, LogError, OutageError}
"""Of which no error is directly."""

FACTS = {
    int: 7,
    float: 0.25,
    str: "the fact",
    list[str]: ["one fact", "another"],
}
CLASSES = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, BarographError) and member not in KINDS
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


@pytest.mark.parametrize("error", [*sorted(KINDS, key=str), *CLASSES])
def test_an_error_comes_whole_from_another_process(error):
    raised = error("why") if error in KINDS else _raised(error)[0]
    here, there = Pipe()
    with here, there:
        here.send(raised)
        again = there.recv()
    assert (type(again), str(again), vars(again)) == (type(raised), str(raised), vars(raised))


def test_every_error_can_be_caught_at_the_door():
    declared = [m for _, m in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(error, BarographError) for error in declared)


@given(st.binary(max_size=40))
def test_an_error_is_one_printable_line_whatever_the_name(name):
    assert str(BadInputError(os.fsdecode(name), "why", "Cure")).isprintable()


@pytest.mark.parametrize(
    ("error", "facts", "cure"),
    [
        (ValueError("it is so"), "it is so", "Try again."),
        (ValueError("it is so. change it."), "it is so.", "Change it."),
        (BadInputError("1. file", "it is. none", "Name two. Or three"), "1. file: it is. none.",
         "Name two. Or three."),
        (ValueError("two\n lines"), "two lines", "Try again."),
    ],
)  # fmt: skip
def test_an_error_has_facts_and_a_cure_that_is_never_empty(error, facts, cure):
    assert facts_and_cure(error) == (facts, cure)


def test_an_error_may_be_told_in_other_words():
    assert facts_and_cure(OSError(28, "x"), "no room. free some.") == ("no room.", "Free some.")


def test_the_cure_of_an_address_that_no_log_serves_is_a_sentence():
    facts, cure = facts_and_cure(UnsupportedLogError("x://y"))
    assert facts == "'x://y' is not a log that can be opened."
    assert cure.startswith("Give a directory")
