"""Looks run side by side, each for a bounded time; what they raise is raised."""

import threading
import time

import pytest

from barograph.app.runs.doctor.examination import (
    State,
    examine,
    ok,
    problem,
    refused,
    warning,
    worst,
)
from barograph.errors import BadInputError, MissingExtraError


def test_findings_come_in_the_order_of_their_looks():
    result = examine({"b": lambda: [ok("b", "1"), ok("b", "2")], "a": lambda: [ok("a", "3")]})
    assert [(each.name, each.text) for each in result.findings] == [
        ("b", "1"), ("b", "2"), ("a", "3"),
    ]  # fmt: skip
    assert (result.state, result.subject) == (State.OK, "")


def test_the_worst_state_counts():
    assert worst([]) is State.OK
    assert worst([ok("a", ""), warning("b", "", "c")]) is State.WARNING
    assert worst([problem("a", "", "c"), warning("b", "", "c"), ok("d", "")]) is State.PROBLEM


def test_a_look_that_does_not_come_back_is_a_warning_in_time():
    never = threading.Event()
    began_s = time.monotonic()
    looks = {name: lambda: [ok("x", "")][: never.wait()] for name in ("one", "two", "three")}
    result = examine(looks, limit_s=0.2)
    taken_s = time.monotonic() - began_s
    never.set()
    assert [(each.name, each.state) for each in result.findings] == [
        (name, State.WARNING) for name in looks
    ]
    assert taken_s < 30  # on a busy machine; without the limit it would never end


def test_what_a_look_raises_is_raised():
    def broken():
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        examine({"broken": broken})


def test_an_error_is_a_problem_with_its_own_cure():
    found = refused("x", BadInputError("a. b", "it is bad", "Mend it. Again"))
    assert (found.state, found.text, found.cure) == (
        State.PROBLEM, "a. b: it is bad", "Mend it. Again",
    )  # fmt: skip
    assert refused("x", MissingExtraError("kafka://b:1", "kafka")).cure.startswith("Install it")
