"""A form of one's own: where each field of a recording is, in about ten lines of TOML."""

import tomllib
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from barograph.venues.forms.clock import Unit
from barograph.venues.forms.names import NAMES, RECEIVED, TIME

FIELDS = (TIME, RECEIVED, *(role for role in NAMES if role != "kind"))
"""What a form may say of a field."""

UNNAMED = "?"
"""What a proposal writes where a field has to be named."""

_CLOCK_KEYS = ("of", "unit", "received_unit", "zone")
_SIDES_KEYS = ("field", "bid", "ask")


class Sides(msgspec.Struct, frozen=True):
    """A quote on two rows: the field that tells which side a row is, and its two values."""

    field: str
    bid: str = "bid"
    ask: str = "ask"


class OwnForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a form of one's own says.

    fields: a role (`FIELDS`) to the name of a field; dots go into objects and lists
    (`data.bids.0.0`). constants: a role to its value. clock: whose `time` is. units: None where the
    size tells. zone: of times without one; None for the command's. only: lines must have these
    values, others are passed over. columns: the header of a table that has none.
    """

    fields: dict[str, str]
    constants: dict[str, str] = {}
    clock: Literal["venue", "recorder"] = "recorder"
    unit: Unit | None = None
    received_unit: Unit | None = None
    zone: str = ""
    only: dict[str, str] = {}
    sides: Sides | None = None
    columns: tuple[str, ...] = ()
    delimiter: str = ""

    def zone_or(self, otherwise: tzinfo) -> tzinfo:
        """Return the zone of times without one."""
        return ZoneInfo(self.zone) if self.zone else otherwise


class FormError(ValueError):
    """A form cannot be used; its text says why, in one line."""


def form_of(text: str) -> OwnForm:
    """Read a form from TOML. Raises FormError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormError(f"it is no TOML: {error}") from None
    known = {"fields", "constants", "clock", "only", "sides", "table"}
    for name, value in tables.items():
        if name not in known:
            raise FormError(f"[{name}] is none of its tables: {', '.join(sorted(known))}")
        if not isinstance(value, dict):
            raise FormError(f"{name} must be a table: [{name}]")
    fields = _texts(tables, "fields", FIELDS)
    constants = _texts(tables, "constants", FIELDS)
    clock = _texts(tables, "clock", _CLOCK_KEYS)
    sides = _texts(tables, "sides", _SIDES_KEYS)
    table = tables.get("table", {})
    form = OwnForm(
        fields=fields,
        constants=constants,
        clock=_clock(clock.get("of", "recorder")),
        unit=_unit(clock.get("unit")),
        received_unit=_unit(clock.get("received_unit")),
        zone=_zone(clock.get("zone", "")),
        only=_texts(tables, "only", None),
        sides=_sides(sides),
        columns=_columns(table),
        delimiter=_delimiter(table),
    )
    check(form)
    return form


def _texts(tables: dict[str, Any], table: str, keys: Sequence[str] | None) -> dict[str, str]:
    texts = {}
    for key, value in tables.get(table, {}).items():
        if keys is not None and key not in keys:
            raise FormError(f"[{table}] has no key {key}; it has {', '.join(keys)}")
        if isinstance(value, (dict, list)) or value == "":
            raise FormError(f"[{table}] {key} must be a text")
        texts[key] = value if isinstance(value, str) else str(value)
    return texts


def _clock(of: str) -> Literal["venue", "recorder"]:
    if of == "venue":
        return "venue"
    if of == "recorder":
        return "recorder"
    raise FormError(f"[clock] of is {of!r}; it is venue or recorder")


def _unit(name: str | None) -> Unit | None:
    if name is None:
        return None
    try:
        return Unit(name)
    except ValueError:
        raise FormError(f"{name!r} is no unit of a time; they are {', '.join(Unit)}") from None


def _zone(name: str) -> str:
    if name:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise FormError(f"[clock] zone {name!r} is no time zone; one is Europe/Paris") from None
    return name


def _sides(texts: dict[str, str]) -> Sides | None:
    if not texts:
        return None
    if "field" not in texts:
        raise FormError("[sides] needs field: the field that tells which side a row is")
    return Sides(**texts)


def _columns(table: dict[str, Any]) -> tuple[str, ...]:
    for key in table:
        if key not in {"columns", "delimiter"}:
            raise FormError(f"[table] has no key {key}; it has columns, delimiter")
    columns = table.get("columns", [])
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise FormError("[table] columns must be a list of names")
    return tuple(columns)


def _delimiter(table: dict[str, Any]) -> str:
    delimiter = table.get("delimiter", "")
    if not isinstance(delimiter, str) or len(delimiter) > 1 or not delimiter.isascii():
        raise FormError("[table] delimiter must be one character")
    return delimiter


def check(form: OwnForm) -> None:
    """Raise FormError unless a form names all that a tick needs."""
    if unnamed := [role for role, name in form.fields.items() if name == UNNAMED]:
        raise FormError(
            f'[fields] {", ".join(unnamed)} is still "{UNNAMED}": write the name of its field there'
        )
    given = form.fields.keys() | form.constants.keys()
    if TIME not in form.fields:
        raise FormError("[fields] needs time: the field whose clock the recording goes by")
    if "product" not in given:
        raise FormError('it needs a product: [fields] product, or [constants] product = "BTC-USD"')
    quote = {"bid", "ask"} <= given or ("mid" in given and bool(given & {"spread", "spread_bps"}))
    if form.sides is None and not quote:
        raise FormError("[fields] needs bid and ask, or mid with spread or spread_bps")
    if form.sides is not None and "price" not in form.fields:
        raise FormError("[fields] needs price, which [sides] makes bid and ask of")
