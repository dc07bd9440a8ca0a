"""Which column of a table of ticks is what, and its values as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from barograph.arrays import Float64, Int32, Int64
from barograph.codec import NAT, SIDES
from barograph.errors import BadInputError
from barograph.types import LATEST_NS
from barograph.venues.coinbase.row_lane import Rows
from barograph.venues.forms.clock import Clock, unit_of
from barograph.venues.forms.names import (
    ASK,
    ASK_SIZE,
    BID,
    BID_SIZE,
    LAST_SIZE,
    MID,
    NAMES,
    OPEN_TIMES,
    PRICE,
    PRODUCT,
    RECEIVED,
    RECORDER_TIMES,
    SIDE,
    SPREAD,
    SPREAD_BPS,
    TIME,
    TRADE_ID,
    VENUE_TIMES,
    VOLUME,
    plain_name,
    rank_of,
    role_of,
)
from barograph.venues.forms.own import FIELDS

_Number = TypeVar("_Number", np.float64, np.int64, np.int32)
_OWN_TIMES = {"event_time_ns": TIME, "receive_time_ns": RECEIVED}
_NUMBERS = (PRICE, BID, ASK, BID_SIZE, ASK_SIZE, VOLUME, LAST_SIZE)
_NEEDED = "product, time, and bid and ask (or mid with spread or spread_bps)"


def roles_of(names: Sequence[str], columns: Mapping[str, str] | None, what: str) -> dict[str, str]:
    """What columns of these names are: role (`venues.forms.own.FIELDS`) → name.

    columns: name → role, for those whose name does not tell; the others go by their names, as those
    of recordings do. what: what the error calls the table. Raises BadInputError for a name or role
    that is not there, and where what a tick needs is not among them.
    """
    roles: dict[str, str] = {}
    for name, role in (columns or {}).items():
        if name not in names:
            raise BadInputError(
                f"columns={{{name!r}: {role!r}}}",
                f"there is no such column; it has {', '.join(names)[:300]}",
                "Name one of them",
            )
        if role not in FIELDS:
            raise BadInputError(
                f"columns={{{name!r}: {role!r}}}", f"{role} is no role", f"Use {', '.join(FIELDS)}"
            )
        roles[role] = name
    free = [name for name in names if name not in (columns or {})]
    for role, name in _by_names(free):
        roles.setdefault(role, name)
    has_quote = {BID, ASK} <= roles.keys() or (
        MID in roles and bool({SPREAD, SPREAD_BPS} & roles.keys())
    )
    if not ({PRODUCT, TIME} <= roles.keys() and has_quote):
        raise BadInputError(
            what,
            f"its columns are not those of ticks: {', '.join(names)[:300]}",
            f"Say which of them are {_NEEDED}: columns={{'name in it': 'bid', …}}; "
            "where all are of one product, add a column with its name",
        )
    return roles


def _by_names(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """(role, name) of those whose name tells, the surest first."""
    found = []
    for name in names:
        plain = plain_name(name)
        if plain in _OWN_TIMES:
            found.append((0, _OWN_TIMES[plain], name))
        elif plain in VENUE_TIMES:
            found.append((1, TIME, name))
        elif plain in OPEN_TIMES:
            found.append((2, TIME, name))
        elif plain in RECORDER_TIMES:
            found.append((1, RECEIVED, name))
        elif (role := role_of(name)) in NAMES and role != "kind":
            found.append((rank_of(name, role), role, name))
    return [(role, name) for _, role, name in sorted(found, key=lambda each: each[0])]


class TickTable(NamedTuple):
    """A table of ticks: `rows` as arrays, `names` of `rows.name`, and `raw` by roles."""

    rows: Rows
    names: list[str]
    raw: pl.DataFrame

    def values(self, row: int) -> dict[str, Any]:
        """What stands in a row, by roles, as a reader of JSON would have it."""
        return {role: _as_json(value) for role, value in self.raw.row(row, named=True).items()}

    def repeated(self) -> frozenset[int]:
        """The rows that are the same as one before, where nothing else tells trades apart.

        So a recording of such rows is heard: a repeat of its bytes is refused.
        """
        if {TRADE_ID, LAST_SIZE, SIDE} & set(self.raw.columns):
            return frozenset()
        told = self.raw.drop(RECEIVED, strict=False)
        again = ~pl.select(pl.struct(told.get_columns()).is_first_distinct()).to_series()
        return frozenset(again.arg_true().to_list())


def tick_table(frame: pl.DataFrame, roles: Mapping[str, str], zone: tzinfo) -> TickTable:
    """The columns of a frame that have a role; zone: of its times without one.

    Times may be datetimes, ISO 8601 texts, or numbers since 1970 in s, ms, µs or ns, told by their
    size.
    """
    raw = frame.select([pl.col(name).alias(role) for role, name in roles.items()])
    n = len(raw)
    names, name = _names(raw[PRODUCT])
    numbers = {role: _number(raw, role, n) for role in _NUMBERS}
    if BID not in roles or ASK not in roles:
        numbers[BID] = numbers[ASK] = np.full(n, np.nan)  # a quote made of mid and spread
    elif PRICE not in roles:
        numbers[PRICE] = (numbers[BID] + numbers[ASK]) / 2
    rows = Rows(
        name=name,
        time_ns=_times(raw, TIME, n, zone),
        received_ns=_times(raw, RECEIVED, n, zone),
        trade_id=_trade_ids(raw, n),
        side=_sides(raw, n),
        **numbers,
    )
    return TickTable(rows, names, raw)


def _names(texts: pl.Series) -> tuple[list[str], Int32]:
    """The texts, the unused ones of an Enum too, and the number of each row's: −1 for none."""
    if isinstance(texts.dtype, pl.Enum):
        coded, names = texts, texts.dtype.categories.to_list()
    else:
        is_coded = isinstance(texts.dtype, pl.Categorical)
        coded = texts if is_coded else texts.cast(pl.String).cast(pl.Categorical)
        distinct = coded.unique().drop_nulls()
        # A category's number is the process's, so others may lie between.
        names = [""] * (1 + max(distinct.to_physical().to_list(), default=-1))
        for number, name in zip(distinct.to_physical(), distinct.cast(pl.String), strict=True):
            names[number] = name
    numbers = coded.to_physical()
    if numbers.null_count():
        numbers = numbers.cast(pl.Int32).fill_null(-1)
    return names, numbers.to_numpy().astype(np.int32)


def _number(raw: pl.DataFrame, role: str, n: int) -> Float64:
    if role not in raw.columns:
        return np.full(n, np.nan)
    return _writable(_filled(raw[role].cast(pl.Float64, strict=False), np.nan).to_numpy())


def _trade_ids(raw: pl.DataFrame, n: int) -> Int64:
    if TRADE_ID not in raw.columns:
        return np.full(n, -1, np.int64)
    ids = raw[TRADE_ID]
    if ids.dtype.is_float():  # as pandas has integers among which some are missing
        ids = ids.fill_nan(None)
    return _writable(_filled(ids.cast(pl.Int64, strict=False), -1).to_numpy())


def _sides(raw: pl.DataFrame, n: int) -> Int32:
    if SIDE not in raw.columns:
        return np.zeros(n, np.int32)
    sides = raw[SIDE]
    if isinstance(sides.dtype, (pl.Categorical, pl.Enum)):
        names, numbers = _names(sides)
        signs = np.array([*(SIDES.get(name, 0) for name in names), 0], np.int32)
        return signs[numbers]  # −1 is the last one
    sides = sides.cast(pl.String)
    bought, sold = ((sides == side).cast(pl.Int32) for side in SIDES)
    return _writable(_filled(bought - sold, 0).to_numpy())


def _times(raw: pl.DataFrame, role: str, n: int, zone: tzinfo) -> Int64:
    """Epoch ns, NAT where there is none."""
    if role not in raw.columns:
        return np.full(n, NAT, np.int64)
    times = raw[role]
    if isinstance(times.dtype, pl.Datetime):
        if times.dtype.time_zone is None and str(zone) != "UTC":
            times = times.dt.replace_time_zone(str(zone), ambiguous="earliest")
        times = times.dt.epoch("ns")
    elif times.dtype.is_integer():
        unit = unit_of(next(iter(times.drop_nulls().head(1).to_list()), None))
        times = times.cast(pl.Int64, strict=False)
        scale = 1 if unit is None else 10**unit.places
        if scale > 1:
            latest = LATEST_NS // scale
            times = times.set(times > latest, None) * scale
    else:
        times = pl.Series(_moments(times.to_list(), zone), dtype=pl.Int64)
    return _writable(_filled(times, int(NAT)).to_numpy())


def _moments(values: Sequence[Any], zone: tzinfo) -> list[int | None]:
    """Texts, or floats by their shortest digits, as epoch ns; None for what is no time."""
    moments: list[int | None] = []
    clock: Clock | None = None
    for value in map(_as_json, values):
        if clock is None and (unit := unit_of(value)) is not None:
            clock = Clock("time", unit, zone)
        try:
            moments.append(None if clock is None else clock.moment(value))
        except ValueError:
            moments.append(None)
    return moments


def _as_json(value: Any) -> Any:  # noqa: ANN401 - any value of a frame
    if isinstance(value, float):
        number = Decimal(repr(value))
        # A float has digits beyond those that are taken; rounded they are none of a price's.
        return round(number, 18) if number.is_finite() else None
    return value


def _filled(series: pl.Series, value: float) -> pl.Series:
    return series.fill_null(value) if series.null_count() else series


class _Writable:
    """An array as one that may be written: kernels are compiled for those, and write into none."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array  # keeps its memory
        interface = array.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}


def _writable(array: NDArray[_Number]) -> NDArray[_Number]:
    if len(array) and not array.flags.writeable and array.flags.c_contiguous:
        return np.asarray(_Writable(array))
    return np.require(array, requirements=["C", "W"])
