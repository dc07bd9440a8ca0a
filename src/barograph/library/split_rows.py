"""What a splitter is given: the seconds of the rows, their columns, and which labels are known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bool, Int64
from barograph.errors import BadInputError
from barograph.types import LATEST_NS, NS_PER_S

_LAST = LATEST_NS // NS_PER_S
_FINER = ((1_000, "milliseconds"), (1_000_000, "microseconds"), (NS_PER_S, "nanoseconds"))
_SEEMS_RECENT = 10**8
"""Epoch seconds of 1973: an earlier time is rather another unit."""

_CURE = "Give groups=X['second'], whole epoch seconds"


def columns_of(X: object) -> Sequence[str]:
    """The names of the columns of X; none where it has no names."""
    columns = getattr(X, "columns", None)
    return [] if columns is None else [str(name) for name in columns]


def seconds_of(X: object, groups: object) -> Int64:
    """(n,) epoch seconds of the rows of X: `groups`, or its column `second` where that is None.

    Raises BadInputError where neither is there, where a row has none, and for what are no whole
    seconds from 1970 to 2262: purge and embargo are counted in seconds, so any other unit would
    leave train and test without a distance, and nothing would show it.
    """
    if groups is None:
        if "second" not in columns_of(X):
            raise BadInputError(
                "a split in time", "the seconds of the rows are not known",
                "Give groups=X['second'], or an X that has this column",
            )  # fmt: skip
        groups = X["second"]  # type: ignore[index]  # a frame's column
    second = _whole(np.asarray(groups))
    rows = _length(X)
    if rows is not None and rows != len(second):
        raise BadInputError(
            "groups", f"they have {len(second):,} rows and X has {rows:,}", "Give those of X"
        )
    _refuse_another_unit(second)
    return second.astype(np.int64)


def _whole(second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same as whole numbers. Raises BadInputError for what they are not."""
    if second.ndim != 1:
        raise BadInputError("groups", f"they have the shape {second.shape}, not (n,)", _CURE)
    if unknown := int((~_known_values(second)).sum()):
        raise BadInputError(
            "groups", f"{unknown:,} of {len(second):,} rows have no second",
            "Drop these rows of X, y and groups",
        )  # fmt: skip
    if second.dtype == np.object_ and all(map(_is_whole, second)):
        return second.astype(np.int64)  # as pandas gives a nullable column without a null
    if not np.issubdtype(second.dtype, np.integer):
        why = f"they are no column of whole epoch seconds but {second.dtype}"
        raise BadInputError("groups", why, _CURE)
    return second


def _refuse_another_unit(second: npt.NDArray[Any]) -> None:
    if not len(second) or (second.min() >= 0 and second.max() <= _LAST):
        return
    least, largest = int(second.min()), int(second.max())
    cure, looks = _CURE, ""
    for per_s, unit in _FINER:
        if least >= 0 and _SEEMS_RECENT <= largest // per_s <= _LAST:
            cure, looks = f"Divide them (groups // {per_s})", f"; they seem to be {unit}"
    raise BadInputError(
        "groups",
        f"they go from {least} to {largest}, which are no epoch seconds from 1970 to 2262{looks}",
        cure,
    )


def known_rows(y: object, n: int) -> Bool:
    """(n,) mask of the rows whose y is neither null nor NaN; all where y is None.

    Raises BadInputError for a y of another length, or of more than one column.
    """
    if y is None:
        return np.ones(n, np.bool_)
    values = np.asarray(y)
    if values.ndim != 1:
        raise BadInputError(
            "y", f"it has the shape {values.shape}, not ({n},)",
            "Give one column, such as y['spike']",
        )  # fmt: skip
    if len(values) != n:
        raise BadInputError("a split", f"y has {len(values)} rows and groups {n}", "Give y of X")
    return _known_values(values)


def _known_values(values: npt.NDArray[Any]) -> Bool:
    """(n,) mask of the values that are neither null nor NaN."""
    if values.dtype == np.object_:  # nulls among whole numbers; pandas' own NA equals nothing
        return np.array([_is_known(value) for value in values], np.bool_)
    if np.issubdtype(values.dtype, np.floating):
        known: Bool = ~np.isnan(values)
        return known
    return np.ones(len(values), np.bool_)


def _is_whole(value: object) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and abs(int(value)) < 2**63  # type: ignore[call-overload]  # it is a number


def _is_known(value: object) -> bool:
    if value is None:
        return False
    same = value == value  # noqa: PLR0124 - NaN is not itself
    return isinstance(same, bool | np.bool_) and bool(same)


def _length(X: object) -> int | None:
    """How many rows X has; None where nobody says."""
    shape = getattr(X, "shape", None)  # a sparse matrix has no length
    if isinstance(shape, tuple) and shape:
        return int(shape[0])
    try:
        return len(X)  # type: ignore[arg-type]  # what has none is asked
    except TypeError:
        return None
