"""What the public functions are given, checked in one place: each is what it is, or is refused.

Every function takes the name of the argument, returns the value as what it is, and raises
BadInputError, which says what was given and what to give instead.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from barograph.cases.case import Case
from barograph.cases.named import case_named
from barograph.errors import BadInputError
from barograph.learning.candidates import Candidate

_LONGEST = 100
_SHORT = (str, bytes, bool, Real, list, tuple, dict, date, np.generic)
_LARGEST_SEED = 2**32 - 1


def shown(value: object) -> str:
    """A value as an error names it: short values as Python writes them, others by their type."""
    if value is None or isinstance(value, _SHORT):
        text = f"{value!r}"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return kind(value)


def kind(value: object) -> str:
    """The type of a value in full; of a class that it is one."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def a_case(case: object) -> Case:
    """A case, or the one of that name."""
    if isinstance(case, Case):
        return case
    if isinstance(case, str):
        return case_named(case)
    raise BadInputError(
        f"case={shown(case)}",
        "it is no case",
        "Give the name of one, such as 'spikes', or a barograph.cases.Case",
    )


def whole_number(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """A whole number from `least` to `most`, as int; those of NumPy are numbers too."""
    if not isinstance(value, Integral) or isinstance(value, bool | np.timedelta64):
        raise BadInputError(f"{name}={shown(value)}", "it is no whole number", f"Use {least}, say")
    number = int(value)
    if number < least or (most is not None and number > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise BadInputError(f"{name}={number}", "it is out of range", f"Use {allowed}")
    return number


def seed_number(name: str, value: object) -> int:
    """A seed of random numbers: 0 to 2³² − 1."""
    return whole_number(name, value, least=0, most=_LARGEST_SEED)


def share(name: str, value: object) -> float:
    """A number between 0 and 1, both excluded."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else -1.0
    if not 0 < number < 1:
        raise BadInputError(
            f"{name}={shown(value)}", "it is not a number between 0 and 1", "Use 0.90, say"
        )
    return number


def flag(name: str, value: object) -> bool:
    """True or False; other values would be taken for one of them by accident, as 'no' is true."""
    if not isinstance(value, bool | np.bool_):
        raise BadInputError(f"{name}={shown(value)}", "it is no bool", "Use True or False")
    return bool(value)


def text(name: str, value: object, cure: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise BadInputError(f"{name}={shown(value)}", "it is no text that names one", cure)
    return value


def address(name: str, value: object) -> str:
    """A path, or an address such as sqlite:///path, as text."""
    place = fspath(value) if isinstance(value, str | PathLike) else value
    return text(name, place, "Give the path of a directory, or an address (sqlite:///path)")


def file_path(name: str, value: object, cure: str) -> Path:
    """The path of a file, there or not yet; a directory is refused."""
    place = fspath(value) if isinstance(value, str | PathLike) else value
    path = Path(text(name, place, cure))
    if path.is_dir():
        raise BadInputError(f"{name}={shown(str(path))}", "it is a directory", cure)
    return path


def names(name: str, value: object) -> Collection[str] | None:
    """Names, None for all. A text alone is refused: `in` would find each part of it."""
    if value is None:
        return None
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        given = [value] if isinstance(value, str) else ["BTC-USD"]
        raise BadInputError(
            f"{name}={shown(value)}", "it is no list of names", f"Give a list ({name}={given})"
        )
    listed = list(value)
    if odd := [one for one in listed if not isinstance(one, str)]:
        raise BadInputError(
            f"{name}", f"{shown(odd[0])} is no name", f"Give a list ({name}=['BTC-USD'])"
        )
    return frozenset(listed)


def candidates(value: object) -> list[Candidate] | None:
    """Candidates, None for all of the case."""
    if value is None:
        return None
    what = "candidates"
    if isinstance(value, Candidate):
        raise BadInputError(
            what, f"{value.name} is one candidate, no list", "Give a list (candidates=[…])"
        )
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise BadInputError(what, f"{shown(value)} is no list of candidates", _CANDIDATES)
    listed = list(value)
    for one in listed:
        if not isinstance(one, Candidate):
            raise BadInputError(what, f"{shown(one)} is no candidate", _CANDIDATES)
    return listed


_CANDIDATES = (
    "Give a list of those of barograph.candidates, such as "
    "[one for one in barograph.candidates.default() if one.name == 'har']"
)


def splitter(name: str, value: object) -> object:
    """A splitter as scikit-learn has them, None for the case's own folds.

    A number or a list of folds is none here: nothing would say how far apart their sides are.
    """
    if value is None or (callable(getattr(value, "split", None)) and _made(value)):
        return value
    if isinstance(value, Integral) and not isinstance(value, bool):
        cure = f"Use folds={value}, or a splitter (barograph.PurgedWalkForward({value}))"
    else:
        cure = "Give a splitter in time (barograph.PurgedWalkForward(4)), which purges, or None"
    why = "it is a class" if isinstance(value, type) else "it is no splitter"
    raise BadInputError(f"{name}={shown(value)}", why, cure)


def _made(value: object) -> bool:
    return not isinstance(value, type | str | bytes)
