"""Candidates of one's own, named on the command line."""

from collections.abc import Sequence

from barograph.cases.case import Own
from barograph.cases.own_modules import defined
from barograph.errors import BadInputError
from barograph.learning.candidates import Candidate


def own_candidates(name: str) -> Sequence[Candidate | Own]:
    """What `module:NAME` defines: a candidate, a sequence of them, or a function of the features.

    The module is searched on Python's path, then in the working directory; importing it runs it.
    The function gets the names of the features that the rows have, and returns candidates. Raises
    BadInputError for anything else.
    """
    what = f"--candidates {name}"
    value = defined(what, name)
    if isinstance(value, Candidate):
        return (value,)
    if isinstance(value, Sequence) and value and all(isinstance(one, Candidate) for one in value):
        return value
    if callable(value) and not isinstance(value, type):
        return (lambda features: _made(what, value(features)),)
    raise BadInputError(
        what,
        f"it is of type {type(value).__name__}",
        "Name a candidate (`barograph.candidates.from_sklearn(…)`), a list of them, or a function "
        "of the features that returns them",
    )


def _made(what: str, made: object) -> Sequence[Candidate]:
    if isinstance(made, Candidate):
        return (made,)
    if isinstance(made, Sequence) and all(isinstance(one, Candidate) for one in made):
        return made
    raise BadInputError(
        what, f"the function returned {type(made).__name__}, no candidates", "Return a list of them"
    )
