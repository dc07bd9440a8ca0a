"""`barograph.candidates`: models that may compete for a case, built in or your own."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from barograph.cases.case import Case, Own
from barograph.errors import BadInputError
from barograph.learning import ready_graphs
from barograph.learning.candidates import (
    Boosting,
    BoostingStages,
    Candidate,
    climatology,
    combination,
    gradient_boosting,
    har,
    least_squares,
    lightgbm,
    lightgbm_regression,
    logistic,
    persistence,
    relative,
    xgboost,
    xgboost_regression,
)
from barograph.learning.estimators import from_sklearn
from barograph.learning.relative import Ratio, Relative
from barograph.library import arguments
from barograph.library.moments import datetime_ns

__all__ = [
    "Boosting",
    "BoostingStages",
    "Candidate",
    "Ratio",
    "Relative",
    "climatology",
    "combination",
    "default",
    "from_onnx",
    "from_sklearn",
    "gradient_boosting",
    "har",
    "least_squares",
    "lightgbm",
    "lightgbm_regression",
    "logistic",
    "persistence",
    "relative",
    "xgboost",
    "xgboost_regression",
]


_GIVE_BYTES = "Name a file of ONNX, or give its bytes (model.SerializeToString())"


def default(case: str | Case = "spikes") -> list[Candidate]:
    """The candidates that `barograph train` tries for a case, from simple to complex.

    `evaluate` makes each of them of those of its features that the rows offer; a candidate of your
    own needs all of its features. Raises BadInputError for a case of records, whose candidates
    depend on its contract.

    >>> [one.name for one in bg.candidates.default()][:4]
    ['persistence', 'ewma', 'mean', 'har']
    """
    case = arguments.a_case(case)
    if case.live is None:
        raise BadInputError(
            f"case {case.name}",
            "its candidates depend on the fields of its contract",
            "Leave out `candidates`, for all of them",
        )
    made = _made_once(case.candidates, case.live.columns)
    for one in made:
        _ORIGIN.setdefault(id(one), case.name)
    return list(made)


def case_of_default(candidate: Candidate) -> str:
    """The case for which `default` returned this very candidate; "" for one of another origin."""
    return _ORIGIN.get(id(candidate), "")


_ORIGIN: dict[int, str] = {}
"""Identity of a default → its case; `_made_once` keeps every one, so none is another one's."""


def is_default(candidate: Candidate, case: Case) -> bool:
    """Whether `default` returned this very candidate for the case."""
    return any(one is candidate for one in default(case))


@cache
def _made_once(make: Own, columns: tuple[str, ...]) -> tuple[Candidate, ...]:
    return tuple(make(columns))


def from_onnx(
    onnx: bytes | str | Path,
    *,
    features: Sequence[str],
    name: str,
    fitted_until: datetime | None = None,
    repeats: float = 60,
) -> Candidate:
    """A candidate that is an ONNX graph: never fitted, calibrated in each fold as all others.

    onnx: a model, or its path: one input (n, f), float32 or float64, whose columns are `features`,
    and one floating-point output with the probability, (n,) or (n, 1), or with that of both
    classes, (n, 2); other outputs, such as labels, are not used. fitted_until: the end of what it
    was trained on, with a time zone; where earlier rows are tested it is left out, and the report
    says so. Without it nobody knows what it has seen, and its scores are worth what you know of
    that. repeats: rows that carry the information of one independent row.

    Raises BadInputError for a file that cannot be read, a time without a zone, a name, features or
    `repeats` that are none, another graph, one of more than 64 MiB, and one that needs operators
    that are not ONNX's own, control flow or files beside it; when it is tested, for outputs that
    are no probabilities.

    >>> theirs = bg.candidates.from_onnx("theirs.onnx", features=["ewma_vol_60s"], name="theirs")
    >>> theirs.features
    ('ewma_vol_60s',)
    """
    until_ns = None if fitted_until is None else _fitted_until_ns(fitted_until)
    if not isinstance(onnx, bytes):
        path = arguments.file_path("onnx", onnx, _GIVE_BYTES)
        try:
            onnx = path.read_bytes()
        except OSError as error:
            why = f"it cannot be read ({error.strerror})"
            raise BadInputError(str(path), why, _GIVE_BYTES) from error
    return ready_graphs.from_onnx(
        onnx, features=features, name=name, fitted_until_ns=until_ns, repeats=repeats
    )


def _fitted_until_ns(until: object) -> int:
    """In epoch ns. Raises BadInputError: a day too early would test rows that it was trained on."""
    what = f"fitted_until={arguments.shown(until)}"
    if not isinstance(until, datetime) or (until_ns := datetime_ns(until)) is None:
        why = "it is no datetime"
    elif until.tzinfo is None:
        why = "it has no time zone"
    else:
        return until_ns
    raise BadInputError(what, why, "Give one with its zone (datetime(2026, 3, 1, tzinfo=UTC))")
