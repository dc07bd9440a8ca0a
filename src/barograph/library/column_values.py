"""The columns of a table of ticks as arrays, where their values are plain; and as JSON has them.

What is plain is read at once. Whatever else stands in a cell is for the machine, which reads it as
it would read a line of a recording; so a table gives the same events in memory and as a file.
"""

from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from barograph.arrays import Bool, Float64, Int32, Int64
from barograph.codec import NAT, SIDES
from barograph.types import DECIMAL, LATEST_NS
from barograph.venues.forms.clock import Clock, Unit, unit_of
from barograph.venues.forms.fields import MOST_EXACT
from barograph.venues.forms.times_seen import SURVEYED, TimesSeen, sampled

_Number = TypeVar("_Number", np.float64, np.int64, np.int32)
_PLAIN = f"^{DECIMAL}$"
_WHOLE = r"^([0-9]{1,18})(\.0*)?$"
_MOST_WHOLE = 10**18 - 1
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""What `str.strip` takes away."""

_BOUNDS = {
    Unit.S: (0, 10**11 - 1),
    Unit.MS: (10**11, 10**14 - 1),
    Unit.US: (10**14, 10**17 - 1),
    Unit.NS: (10**17, LATEST_NS),
}
"""The least and the largest number since 1970 of each unit, as `clock.unit_of` tells them apart."""

_NS_OF = {"ms": 10**6, "us": 10**3, "ns": 1}


def json_value(value: Any) -> Any:  # noqa: ANN401 - any value of a JSON column
    """A value as a reader of JSON has it: floats by their shortest digits, None for NaN."""
    if isinstance(value, float):
        number = Decimal(repr(value))
        return number if number.is_finite() else None
    return value


def names_of(column: pl.Series) -> tuple[list[str], Int32]:
    """The texts, unused ones of an Enum too, and the number of each row's: −1 for no text."""
    if isinstance(column.dtype, pl.Enum):
        coded, names = column, column.dtype.categories.to_list()
    elif isinstance(column.dtype, (pl.String, pl.Categorical)):
        coded = column.cast(pl.Categorical)
        distinct = coded.unique().drop_nulls()
        # A category's number is the process's, so others may lie between.
        names = [""] * (1 + max(distinct.to_physical().to_list(), default=-1))
        for number, name in zip(distinct.to_physical(), distinct.cast(pl.String), strict=True):
            names[number] = name
    else:
        return [], np.full(len(column), -1, np.int32)
    numbers = coded.to_physical()
    if numbers.null_count():
        numbers = numbers.cast(pl.Int32).fill_null(-1)
    return names, numbers.to_numpy().astype(np.int32)


def numbers_of(column: pl.Series) -> tuple[Float64, Bool | None]:
    """Numbers, NaN where there is none, and the rows with something else; None for no such rows."""
    if column.dtype == pl.Boolean:
        return np.full(len(column), np.nan), column.is_not_null().to_numpy()
    odd = None
    if column.dtype == pl.String:
        is_plain = column.str.contains(_PLAIN)
        unread = ~is_plain & (column != "")
        odd = unread.fill_null(value=False).to_numpy() if unread.any() else None
        column = pl.select(pl.when(is_plain).then(column)).to_series()
    return writable(_filled(column.cast(pl.Float64, strict=False), np.nan).to_numpy()), odd


def ids_of(column: pl.Series) -> Int64:
    """Whole numbers of up to 18 digits, −1 for what is none.

    A float is one where it has no fraction, as pandas has integers among which some are missing,
    and none where floats do not tell whole numbers apart.
    """
    if column.dtype == pl.String:
        parts = column.str.strip_chars(_BLANKS).str.extract_groups(_WHOLE).struct
        numbers = parts.field("1").cast(pl.Int64)
        inexact = parts.field("2").is_not_null() & (numbers > MOST_EXACT)
        numbers = numbers.set(inexact, None)
    elif column.dtype == pl.Float64:
        is_whole = (column == column.floor()) & (column >= 0) & (column <= MOST_EXACT)
        numbers = pl.select(pl.when(is_whole).then(column)).to_series().cast(pl.Int64)
    elif column.dtype.is_integer():
        numbers = column.cast(pl.Int64, strict=False)
        outside = (numbers < 0) | (numbers > _MOST_WHOLE)
        numbers = numbers.set(outside, None) if outside.any() else numbers
    else:
        return np.full(len(column), -1, np.int64)
    return writable(_filled(numbers, -1).to_numpy())


def sides_of(column: pl.Series) -> Int32:
    """+1 bought, −1 sold, 0 for anything else."""
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        names, numbers = names_of(column)
        signs = np.array([*(SIDES.get(name, 0) for name in names), 0], np.int32)
        return signs[numbers]  # −1 is the last one
    if column.dtype != pl.String:
        return np.zeros(len(column), np.int32)
    bought, sold = ((column == side).cast(pl.Int32) for side in SIDES)
    return writable(_filled(bought - sold, 0).to_numpy())


def times_of(column: pl.Series, zone: tzinfo) -> tuple[Int64, Bool]:
    """Epoch ns, NAT where there is none; and the rows whose time is of no use.

    column: datetimes, ISO 8601 texts, or numbers since 1970 whose unit the size of the first ones
    tells. zone: of times without one. A time of no use is one in another unit than most of the
    first ones, or outside 1970 to 2262.
    """
    if isinstance(column.dtype, pl.Datetime):
        return _of_datetimes(column, column.dtype, zone)
    seen = TimesSeen("time")
    for value in sampled(column.head(SURVEYED).to_list()):
        seen.add(json_value(value))
    if column.dtype.is_integer():
        return _of_integers(column, seen.unit)
    return _of_values(column.to_list(), Clock("time", seen.unit, zone))


def _of_datetimes(column: pl.Series, kind: pl.Datetime, zone: tzinfo) -> tuple[Int64, Bool]:
    if kind.time_zone is None and str(zone) != "UTC":
        moments = _in_zone(column, str(zone))
        if moments is None:
            texts = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.9f").to_list()
            return _of_values(texts, Clock("time", Unit.ISO, zone))
        column = moments
    scale = _NS_OF[kind.time_unit]
    times = column.to_physical()
    outside = (times < 0) | (times > LATEST_NS // scale)
    useless = outside.fill_null(value=False).to_numpy()
    times = times.set(outside, None) if useless.any() else times
    return writable(_filled(times * scale if scale > 1 else times, int(NAT)).to_numpy()), useless


def _in_zone(column: pl.Series, zone: str) -> pl.Series | None:
    """The moments of local times; None where each has to be read after those before it.

    So it is where a local time comes twice or not at all, and in zones that Polars has not.
    """
    try:
        early, late = (
            column.dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
            for which in ("earliest", "latest")
        )
    except pl.exceptions.PolarsError:
        return None
    is_clear = early.null_count() == column.null_count() and early.equals(late)
    return early if is_clear else None


def _of_integers(column: pl.Series, unit: Unit) -> tuple[Int64, Bool]:
    tells = (column >= 0).fill_null(value=False).to_numpy()
    numbers = _filled(column.cast(pl.Int64, strict=False), -1).to_numpy()
    if unit is Unit.ISO:
        return np.full(len(numbers), NAT), tells
    scale, (least, most) = 10**unit.places, _BOUNDS[unit]
    most = min(most, LATEST_NS // scale)
    if len(numbers) and least <= numbers.min() and numbers.max() <= most:
        return writable(numbers * scale if scale > 1 else numbers), ~tells
    is_time = (numbers >= least) & (numbers <= most)
    return np.where(is_time, np.where(is_time, numbers, 0) * scale, NAT), tells & ~is_time


def _of_values(values: Sequence[Any], clock: Clock) -> tuple[Int64, Bool]:
    moments = np.full(len(values), NAT)
    useless = np.zeros(len(values), np.bool_)
    for row, value in enumerate(map(json_value, values)):
        try:
            moments[row] = clock.moment(value)
        except ValueError:
            useless[row] = unit_of(value) is not None
    return moments, useless


def _filled(series: pl.Series, value: float) -> pl.Series:
    return series.fill_null(value) if series.null_count() else series


class _Writable:
    """An array as one that may be written: kernels are compiled for those, and write into none."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array  # keeps its memory
        interface = array.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}


def writable(array: NDArray[_Number]) -> NDArray[_Number]:
    """The same memory as an array that a kernel takes, or a copy where its layout is another."""
    if len(array) and not array.flags.writeable and array.flags.c_contiguous:
        return np.asarray(_Writable(array))
    return np.require(array, requirements=["C", "W"])
