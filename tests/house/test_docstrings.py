"""The examples in the docstrings of the library run, in the folder of somebody who reads them."""

import doctest
import inspect

import numpy as np
import polars as pl
import pytest

import barograph as bg
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from foreign_graphs import graph
from lived_home import lived

WITHOUT: dict[str, str] = {}
"""Public names whose docstring has no example, and why."""


def public():
    """Name → what it is, of each public function and class of the library."""
    names = {}
    for name in bg.__all__:
        thing = getattr(bg, name)
        inner = thing.__all__ if inspect.ismodule(thing) else ()
        names |= {f"{name}.{one}": getattr(thing, one) for one in inner} or {name: thing}
    return names


FINDER = doctest.DocTestFinder(exclude_empty=True)
FOUND = {
    name: [one for one in FINDER.find(thing, name, module=False) if one.examples]
    for name, thing in public().items()
}
NEEDS_A_HOME = ("Home", "Model", "open")
NEEDS_AN_EVALUATION = ("Evaluation", "evaluate", "plot.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the reader is: `market.ndjson` are two hours of a market."""
    path = tmp_path_factory.mktemp("reader")
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 1, 1_750_000_000 * 10**9)
    frames = b"".join(frame.data + b"\n" for frame in market.advance(7200))
    (path / "market.ndjson").write_bytes(frames)
    return path


@pytest.fixture(scope="module")
def home(folder, made_home):
    """`H` heard the recording, and has a champion."""
    return lived(folder / "H", made_home, folder / "market.ndjson")


@pytest.fixture(scope="module")
def names(folder):
    """What the reader has at hand: the page says so."""
    X = bg.features(bg.read_ticks(folder / "market.ndjson"))
    return {"bg": bg, "np": np, "pl": pl, "X": X, "y": bg.label(X)}


def ran(tests, names, folder):
    """The report of what the examples of a docstring did not do; empty where all is well."""
    said = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for test in tests:
        test.globs = dict(names)
        runner = doctest.DocTestRunner(optionflags=flags)
        with pytest.MonkeyPatch.context() as now:
            now.chdir(folder)
            runner.run(test, out=said.append)
    return "".join(said)


def group(*begins):
    return [name for name in FOUND if name.startswith(begins)]


QUICK = [name for name in FOUND if name not in group(*NEEDS_A_HOME, *NEEDS_AN_EVALUATION)]


def test_every_public_name_has_an_example_or_a_reason():
    assert {name for name, tests in FOUND.items() if not tests} == set(WITHOUT)


@pytest.mark.parametrize("name", QUICK)
def test_an_example_does_what_it_says(name, names, folder):
    (folder / "theirs.onnx").write_bytes(graph(width=1))
    assert ran(FOUND[name], names, folder) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", group(*NEEDS_A_HOME))
def test_an_example_on_a_home_does_what_it_says(name, names, folder, home):
    assert home == folder / "H"
    assert ran(FOUND[name], names, folder) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", group(*NEEDS_AN_EVALUATION))
def test_an_example_of_an_evaluation_does_what_it_says(name, names, folder):
    assert ran(FOUND[name], names, folder) == ""
