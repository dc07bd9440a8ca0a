"""What a candidate may be called, and the features that it may name."""

import math
import re
from collections.abc import Iterable
from numbers import Real

from barograph.errors import BadInputError

CHOSEN = "chosen"
"""Name under which the choices of all folds are scored together: no candidate's own."""

_LONGEST = 100
_is_name = re.compile(r"\w(?:[\w .:-]{0,98}[\w.:-])?").fullmatch
_NAMED = "Give a list of names of columns (features=['observed_vol_60s'])"


def refuse_unusable(name: object, repeats: object) -> None:
    """Raise BadInputError for the name of a candidate that is none, and for `repeats` not above 0.

    A name is what MLflow takes into the name of a metric, without slashes: up to 100 letters,
    digits, dashes, points, colons and blanks. `CHOSEN` is taken.
    """
    what = f"candidate {_shown(name)}"
    if not isinstance(name, str):
        raise BadInputError(what, "its name is no text", "Give it one (name='mine')")
    if not _is_name(name):
        raise BadInputError(
            what,
            f"its name is not 1 to {_LONGEST} letters, digits, dashes, points, colons and blanks, "
            "a letter or a digit first",
            "Give it one (name='mine')",
        )
    if name == CHOSEN:
        raise BadInputError(
            what, "that is what the folds chose, in scores and reports", "Give it another name"
        )
    if not _is_number(repeats) or not (0 < repeats < math.inf):  # type: ignore[operator]
        raise BadInputError(
            what,
            f"repeats={_shown(repeats)} is no number above 0",
            "Give how many rows carry the information of one independent row (60 where they "
            "are a second apart and look a minute ahead)",
        )


def feature_names(what: str, features: object) -> tuple[str, ...]:
    """The names as a tuple. Raises BadInputError, which names `what`, unless each is a text, once.

    A text alone is refused too: it would be taken for its letters.
    """
    if isinstance(features, str | bytes) or not isinstance(features, Iterable):
        cure = f"Give a list (features=['{features}'])" if isinstance(features, str) else _NAMED
        raise BadInputError(what, f"its features are {_shown(features)}, no list of names", cure)
    names = tuple(features)
    if odd := [one for one in names if not isinstance(one, str) or not one]:
        raise BadInputError(what, f"its features are not all names: {_shown(odd[0])}", _NAMED)
    if not names or len(set(names)) < len(names):
        raise BadInputError(
            what, f"its features are {', '.join(names) or 'none'}"[:300], "Name each once"
        )
    return tuple(str(one) for one in names)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) and value else f"{value!r}"[:_LONGEST]
