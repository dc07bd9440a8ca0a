"""Which column of a table of ticks is what, and its values as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from barograph.arrays import Bool, Float64, Int64
from barograph.codec import NAT
from barograph.errors import BadInputError
from barograph.files.json_columns import json_column
from barograph.library.column_values import (
    ids_of,
    json_value,
    names_of,
    numbers_of,
    sides_of,
    times_of,
)
from barograph.library.middles import middles
from barograph.venues.coinbase.row_lane import Rows
from barograph.venues.entries import Dialect
from barograph.venues.forms.fields import middle_of, quote_of
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
    SEQUENCE,
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
from barograph.venues.refusals import FrameRefusedError

_OWN_TIMES = {"event_time_ns": TIME, "receive_time_ns": RECEIVED}
_NUMBERS = (PRICE, BID, ASK, BID_SIZE, ASK_SIZE, VOLUME, LAST_SIZE)
_TIMES = (TIME, RECEIVED)
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
        if role in roles:
            raise BadInputError(
                f"columns={{{roles[role]!r}: {role!r}, {name!r}: {role!r}}}",
                f"two columns cannot both be {role}",
                "Name one",
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
    """A table of ticks: `rows` as arrays, `names` of `rows.name`, and `raw` by roles.

    `odd` are the rows (n,) with values that the arrays do not have and the machine may read,
    `useless_receipt` those that were received at no time from 1970 to 2262.
    """

    rows: Rows
    names: list[str]
    raw: pl.DataFrame
    odd: Bool
    useless_receipt: Bool

    def values(self, row: int) -> dict[str, Any]:
        """What stands in a row, by roles, as a reader of JSON has it."""
        return {role: json_value(value) for role, value in self.raw.row(row, named=True).items()}

    @property
    def dialect(self) -> Dialect:
        """As whose frames its rows are heard: those of Advanced Trade have no ids, sides, sizes."""
        is_exchange = {TRADE_ID, LAST_SIZE, SIDE} & set(self.raw.columns)
        return Dialect.EXCHANGE if is_exchange else Dialect.ADVANCED

    def has_quote(self, row: int) -> bool:
        """Whether a row tells bid and ask, believable or not."""
        try:
            quote_of(self.values(row))
        except FrameRefusedError:
            return False
        return True

    def repeated(self) -> Bool:
        """The rows (n,) that are the same as one before, where nothing else tells trades apart.

        So a recording of such rows is heard: a repeat of its bytes is refused.
        """
        if self.dialect is Dialect.EXCHANGE:
            return np.zeros(len(self.raw), np.bool_)
        columns = self.raw.drop(RECEIVED, strict=False).get_columns()
        return ~pl.select(pl.struct(columns).is_first_distinct()).to_series().to_numpy()


def readable(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of a frame that hold numbers, texts or times."""
    schema = frame.schema
    return frame.select(
        name for name, kind in schema.items() if json_column(name, kind) is not None
    )


def tick_table(frame: pl.DataFrame, roles: Mapping[str, str], zone: tzinfo) -> TickTable:
    """The columns of a readable frame that have a role; zone: of its times without one."""
    raw = frame.select(_column(frame, role, name) for role, name in roles.items())
    n = len(raw)
    odd, useless = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    names, name = names_of(raw[PRODUCT])
    numbers = {}
    for role in _NUMBERS:
        if role not in roles:
            numbers[role] = np.full(n, np.nan)
            continue
        numbers[role], unread = numbers_of(raw[role])
        if unread is not None:
            odd |= unread
    if BID not in roles or ASK not in roles:
        numbers |= _of_middles(raw, numbers[PRICE])
    else:
        missing = np.isnan(numbers[PRICE]) & ~odd
        if missing.any():
            middle = middles(numbers[BID], numbers[ASK])
            numbers[PRICE] = np.where(missing, middle, numbers[PRICE])
    time_ns, _ = times_of(raw[TIME], zone)
    received_ns = None
    if RECEIVED in roles:
        received_ns, useless = times_of(raw[RECEIVED], zone)
        odd |= useless
    rows = Rows(
        name=name,
        time_ns=time_ns,
        received_ns=np.full(n, NAT) if received_ns is None else received_ns,
        trade_id=_counts(raw, TRADE_ID),
        sequence=_counts(raw, SEQUENCE),
        side=sides_of(raw[SIDE]) if SIDE in roles else np.zeros(n, np.int32),
        **numbers,
    )
    table = TickTable(rows, names, raw, odd, useless)
    if table.dialect is Dialect.EXCHANGE:
        return table
    return table._replace(rows=rows._replace(sequence=np.full(n, -1)))  # it has none there


def _column(frame: pl.DataFrame, role: str, name: str) -> pl.Expr:
    kind = frame.schema[name]
    is_coded = role in {PRODUCT, SIDE} and isinstance(kind, (pl.Categorical, pl.Enum))
    if is_coded or (role in _TIMES and isinstance(kind, pl.Datetime)):
        return pl.col(name).alias(role)
    column = json_column(name, kind)
    assert column is not None  # noqa: S101 - the frame is a readable one
    return column.alias(role)


def _counts(raw: pl.DataFrame, role: str) -> Int64:
    return ids_of(raw[role]) if role in raw.columns else np.full(len(raw), -1)


def _of_middles(raw: pl.DataFrame, price: Float64) -> dict[str, Float64]:
    """Price, bid and ask of rows with a middle and a spread, NaN where these are none."""
    roles = [role for role in (BID, ASK, MID, SPREAD, SPREAD_BPS) if role in raw.columns]
    made = {role: np.full(len(raw), np.nan) for role in (BID, ASK)} | {PRICE: price.copy()}
    for row, values in enumerate(raw.select(roles).iter_rows()):
        try:
            quote = quote_of(dict(zip(roles, map(json_value, values), strict=True)))
            bid, ask, middle = (float(text) for text in (*quote, middle_of(*quote)))
        except (FrameRefusedError, ValueError):
            continue  # the machine refuses it, with its own words
        made[BID][row], made[ASK][row] = bid, ask
        if np.isnan(price[row]):
            made[PRICE][row] = middle
    return made
