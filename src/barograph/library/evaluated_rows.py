"""What `barograph.evaluate` is given beside features, checked: labels, candidates, and folds."""

from typing import Any

import numpy as np
import polars as pl

from barograph.arrays import Int64
from barograph.cases.case import Case, SplitKind, Table, live_of
from barograph.errors import BadInputError
from barograph.evaluation import labels, splits
from barograph.evaluation.splits import Fold, SplitPlan
from barograph.feature_set.catalogue import COLUMN, FEATURES
from barograph.learning.candidates import Candidate
from barograph.library import arguments
from barograph.library.candidates import case_of_default, is_default
from barograph.library.foreign_frames import polars_of
from barograph.library.frames import Features

_LABELS = "Give what `barograph.label(X)` returns, or rows of it"
_TYPES = {"product": pl.String, "second": pl.Int64, "future_realized_vol": pl.Float64}


def given_candidates(case: Case, candidates: object) -> list[Candidate] | None:
    """The candidates, None for all of the case.

    Raises BadInputError for what is none, and for defaults of another case, whose horizon and
    weights are not those of this one.
    """
    listed = arguments.candidates(candidates)
    for one in listed or ():
        origin = case_of_default(one)
        if origin and not is_default(one, case):
            raise BadInputError(
                f"candidate {one.name}",
                f"it is one of barograph.candidates.default({origin!r}), and the case is "
                f"{case.name}",
                f"Take it of barograph.candidates.default({case.name!r})",
            )
    return listed


def given_folds(cv: Any, table: Table, horizon_s: int) -> tuple[SplitKind, list[Fold]]:  # noqa: ANN401
    """The folds of a splitter, with the distance that the used features ask for."""
    longest_s = max((FEATURES[COLUMN[name]].reach_s for name in table.features), default=0)
    plan = SplitPlan(horizon_s=horizon_s, embargo_s=max(horizon_s, longest_s))
    second = table.order
    # Splitters take rows in the order of time; the table is sorted by product.
    by_time = np.argsort(second, kind="stable")
    try:
        sides = list(cv.split(np.empty((len(second), 0)), table.outcome[by_time], second[by_time]))
    except (ValueError, TypeError) as error:  # as splitters of scikit-learn refuse
        why = f"its split failed: {' '.join(str(error).split())[:300]}"
        raise BadInputError(
            "cv", why, "Give a splitter in time, such as barograph.PurgedWalkForward(4)"
        ) from error
    given = [tuple(by_time[_rows(side, len(second))] for side in _pair(fold)) for fold in sides]
    return "given", splits.as_given(second, [(train, test) for train, test in given], plan)


def _pair(fold: object) -> tuple[object, object]:
    if isinstance(fold, tuple | list) and len(fold) == 2:
        return fold[0], fold[1]
    raise BadInputError(
        "cv", f"its split gives {arguments.kind(fold)}, no (train, test)", "Yield pairs of rows"
    )


def _rows(side: object, n: int) -> Int64:
    """One side of a fold as places of rows. Raises BadInputError for what are none."""
    places = np.asarray(side)
    if places.ndim != 1 or (len(places) and not np.issubdtype(places.dtype, np.integer)):
        why = f"a side of a fold is {places.dtype} of the shape {places.shape}"
        raise BadInputError("cv", why, "Yield places of rows, as np.flatnonzero(mask) gives them")
    rows = places.astype(np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < n):
        why = f"a side of a fold names row {rows.min() if rows.min() < 0 else rows.max()} of {n:,}"
        raise BadInputError("cv", why, "Yield places of rows from 0 on")
    return rows


def outcome_of(X: Features, y: object, case: Case, quantile: float) -> pl.Series:
    """(n,) outcomes of the rows of X, null where y has none. Raises BadInputError."""
    frame = _labels(y)
    live = live_of(case)
    known = _outcomes(X, case)
    said = known.join(
        frame.select(*_TYPES), on=["product", "second"], how="left", maintain_order="left"
    )
    if len(said) != len(X) or said["future_realized_vol"].is_not_null().sum() != (
        frame["future_realized_vol"].is_not_null().sum()
    ):
        raise BadInputError("y", "its rows are not those of X", _LABELS)
    where = said.filter(pl.col("future_realized_vol").is_not_null())
    # exact: both are the same feature of the same row
    if not where["known"].eq_missing(where["future_realized_vol"]).all():
        raise BadInputError(
            "y",
            f"its values are not the {live.value_now} of {case.horizon_s} s later, which case "
            f"{case.name} forecasts",
            f"Use `barograph.label(X, horizon_s={case.horizon_s})`: folds are kept apart by that",
        )
    if len(frame) == len(X) and "tau" in frame.columns:
        _refuse_other_quantile(frame, quantile)
    return said["future_realized_vol"]


def _labels(y: object) -> pl.DataFrame:
    """Y as a frame whose columns have the types of labels; NaN is null, as pandas has it."""
    if not hasattr(y, "columns"):
        raise BadInputError("y", f"it is {arguments.kind(y)}, no frame of labels", _LABELS)
    frame = polars_of(y)
    if lacking := sorted(set(_TYPES).difference(frame.columns)):
        raise BadInputError("y", f"it has no column {', '.join(lacking)}", _LABELS)
    try:
        typed = frame.with_columns(pl.col(name).cast(dtype) for name, dtype in _TYPES.items())
        if "tau" in frame.columns:
            typed = typed.with_columns(pl.col("tau").cast(pl.Float64).fill_nan(None))
    except pl.exceptions.InvalidOperationError as error:
        why = f"its columns are not those of labels ({' '.join(str(error).split())[:150]})"
        raise BadInputError("y", why, _LABELS) from error
    second = frame["second"]
    if second.dtype.is_float() and not (second == second.floor()).all():
        raise BadInputError("y", "its seconds are not whole", _LABELS)
    return typed.with_columns(pl.col("future_realized_vol").fill_nan(None))


def _outcomes(X: Features, case: Case) -> pl.DataFrame:
    """`product`, `second`, and `known`: the value of the case one horizon later, of X itself."""
    value_now = live_of(case).value_now
    return pl.concat(
        [
            rows.select(
                "product",
                "second",
                pl.Series(
                    "known",
                    labels.later(
                        rows["second"].to_numpy(),
                        rows[value_now].fill_null(np.nan).to_numpy(),
                        horizon_s=case.horizon_s,
                    ),
                ).fill_nan(None),
            )
            for _, rows in X.frame.group_by("product", maintain_order=True)
        ]
    )


def _refuse_other_quantile(y: pl.DataFrame, quantile: float) -> None:
    """Raise BadInputError where a tau of y is not that quantile of its product's labels."""
    for (product,), rows in y.drop_nulls(["tau", "future_realized_vol"]).group_by("product"):
        asked = labels.tau(rows["future_realized_vol"].to_numpy(), quantile=quantile, min_labels=1)
        if rows["tau"][0] != asked:  # exact: an observed value
            raise BadInputError(
                "y",
                f"its tau of {product} is not the {quantile:g} quantile of its labels",
                "Give the same `quantile` to label and evaluate",
            )
