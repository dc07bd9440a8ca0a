"""Cases by their names: the built-in ones, and any other as `package.module:NAME`."""

import re
import shlex
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from barograph.cases.own_modules import imported
from barograph.errors import BadInputError

if TYPE_CHECKING:
    from barograph.cases.case import Case


CASES: dict[str, str] = {
    "spikes": "barograph.cases.spikes:SPIKES",
    "spikes-10s": "barograph.cases.spikes:SPIKES_10S",
    "spikes-5m": "barograph.cases.spikes:SPIKES_5M",
    "spikes-15m": "barograph.cases.spikes:SPIKES_15M",
    "churn": "barograph.cases.churn:CHURN",
    "hourly": "barograph.cases.hourly:HOURLY",
    "hourly-6h": "barograph.cases.hourly:HOURLY_6H",
    "hourly-24h": "barograph.cases.hourly:HOURLY_24H",
}
"""Built-in cases that a server shows: name to `module:attribute`."""

NAMED = CASES | {
    "hourly-realized": "barograph.cases.hourly:REALIZED",
    "hourly-realized-6h": "barograph.cases.hourly:REALIZED_6H",
    "hourly-realized-24h": "barograph.cases.hourly:REALIZED_24H",
    "hourly-deviation-6h": "barograph.cases.hourly:DEVIATION_6H",
    "hourly-deviation-24h": "barograph.cases.hourly:DEVIATION_24H",
}
"""All built-in cases."""

_OWN: dict[str, str] = {}
"""Names of cases of one's own, and how they were named where they were asked for."""


def case_named(name: str) -> "Case":
    """Return a built-in case by name, or a user's case by `package.module:NAME`.

    A package that is installed may name cases too, as entry points of the group `barograph.cases`.
    The module is searched on Python's path, then in the working directory. Raises
    BadInputError if the module cannot be imported or defines no such case.
    """
    from barograph.cases.case import Case  # noqa: PLC0415 - with polars; a name alone is light

    place = NAMED.get(name) or (name if ":" in name else installed().get(name, ""))
    module, colon, attribute = place.partition(":")
    if not (colon and module and attribute) or module.startswith("."):
        known = ", ".join([*NAMED, *installed()])
        raise BadInputError(
            f"case {name}", "there is no such case", f"Use {known}, or package.module:NAME"
        )
    case = getattr(imported(f"case {name}", module), attribute, None)
    if not isinstance(case, Case):
        kind = f"{attribute} is a {type(case).__name__}, not a barograph.cases.Case"
        raise BadInputError(
            f"case {name}",
            "nothing is called that" if case is None else kind,
            f"Name what {module} defines as one",
        )
    if name not in NAMED:
        _OWN[case.name] = name
    return case


def name_of(case: "Case") -> str:
    """The name by which `case_named` returns this very case; "" for one that was never named."""
    name = _OWN.get(case.name, case.name)
    try:
        return name if case_named(name) is case else ""
    except BadInputError:  # it was made where it is used, as in a notebook
        return ""


def installed() -> dict[str, str]:
    """Cases of installed packages: entry point of the group `barograph.cases` → `module:NAME`."""
    return {each.name: each.value for each in entry_points(group="barograph.cases")}


def with_own_cases(text: str) -> str:
    """The text with commands that name cases of one's own as they were named."""
    for name, named in _OWN.items():
        parts = re.split(rf"(?<=--case ){re.escape(name)}(?![\w-])", text)
        text = shlex.quote(named).join(parts)
    return text
