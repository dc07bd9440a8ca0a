"""What the verbs' options are called and what they mean: settings, cases, logs, times."""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import tzinfo
    from types import ModuleType

    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.log import Log


def _named(value: str) -> str:
    """What an option names. Raises BadInputError where it is empty, as of a variable not set."""
    if not value:
        from barograph.errors import BadInputError

        raise BadInputError(
            "an option", "--home or --log is empty", "Name a place, or leave the option out"
        )
    return value


def _home(value: str) -> Path:
    return Path(_named(value))


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Holds log, archive, datasets and registry.",
        show_default=False,
        parser=_home,
        metavar="PATH",
    ),
]
LogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        help="Another log than the one in --home: sqlite:///path or "
        "kafka://host:port,host:port/namespace.",
        parser=_named,
        metavar="TEXT",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
CaseOption = Annotated[
    str,
    typer.Option("--case", help="Which case: spikes, churn, or package.module:NAME of your own."),
]

MOST_RECORDS = 10**12
MOST_BATCH = 1_000_000
MOST_RATE = 1e6
MOST_SECONDS = 10**10
MOST_MINUTES = 10**7
MOST_HOURS = 10**5
"""What an option may be at most: none that makes sense is larger, and larger ones overflow."""

_LONGEST_VERSION = 9
MOST_SEED = 2**32 - 1
"""What NumPy and scikit-learn take."""

_SHORTEST_LOG_BYTES = 512
"""SQLite takes what is shorter for a new, empty database."""
CASES: Mapping[str, str] = {
    "spikes": "barograph.cases.spikes:SPIKES",
    "churn": "barograph.cases.churn:CHURN",
}
"""Where each case of the house is defined."""


def settings_of(home: Path | None) -> "Settings":
    """The settings, with `--home` over them. Raises BadInputError for what cannot be set."""
    from tomllib import TOMLDecodeError

    from pydantic import ValidationError

    from barograph.app.settings import Settings
    from barograph.errors import BadInputError

    try:
        return Settings(home=home) if home is not None else Settings()
    except TOMLDecodeError as error:
        raise BadInputError(
            "barograph.toml", str(error), "Mend it; docs/barograph.toml is an example"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"setting {key}", first["msg"], "See docs/settings.md for each key"
        ) from error


def case_named(name: str) -> "Case":
    """A case of the house, or the one that a module of the user's defines.

    Such a module is looked for where Python looks, and then in the working directory. Raises
    BadInputError when there is none, or it does not define a case.
    """
    from barograph.cases.case import Case
    from barograph.errors import BadInputError

    module, colon, attribute = CASES.get(name, name).partition(":")
    if not (colon and module and attribute) or module.startswith("."):
        known = ", ".join(CASES)
        raise BadInputError(
            f"case {name}", "there is no such case", f"Use {known}, or package.module:NAME"
        )
    case = getattr(_imported(name, module), attribute, None)
    if not isinstance(case, Case):
        kind = f"{attribute} is a {type(case).__name__}, not a barograph.cases.Case"
        raise BadInputError(
            f"case {name}",
            "nothing is called that" if case is None else kind,
            f"Name what {module} defines as one",
        )
    return case


def _imported(case: str, module: str) -> "ModuleType":
    import importlib
    import traceback

    from barograph.errors import BadInputError

    if "" not in sys.path:
        sys.path.append("")  # last: no file that happens to lie here hides an installed module
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BadInputError(
            f"case {case}",
            f"there is no module {error.name}",
            "Run where it can be imported, or install it",
        ) from error
    except (
        SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, LookupError,
        ArithmeticError, AssertionError, OSError, RuntimeError,
    ) as error:  # fmt: skip  # what a module that is still being written ends in
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if isinstance(error, SyntaxError) else f" ({last.filename}, line {last.lineno})"
        why = " ".join(str(error).split())
        raise BadInputError(
            f"case {case}", f"{type(error).__name__}: {why}{where}", "Correct the module"
        ) from error


@contextmanager
def home_or_temporary(home: Path | None) -> Iterator[Path]:
    """The home that is named, or one that is removed at the end."""
    if home is not None:
        yield home
        return
    from barograph.files import scratch

    with scratch.folder("barograph-demo-") as place:
        yield place


def no_nan(value: float | None) -> float | None:
    """What an option with bounds is, if it is a number: NaN lies within any bounds."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("NaN is not in the range")
    return value


def version_number(text: str) -> int | None:
    """A version by its number; None for any other word. Raises BadInputError for ten digits."""
    if not (text.isascii() and text.isdigit()):
        return None
    from barograph.errors import BadInputError

    if len(text) > _LONGEST_VERSION:
        cure = "See what there is with `barograph models list`"
        raise BadInputError(f"version {text[:20]}…", "there is no such version", cure)
    return int(text)


def names_in(text: str) -> list[str]:
    """The names of a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def existing(address: Path | str) -> Path | str:
    """An address whose log exists, where that shows; a verb that only reads makes no new one."""
    from barograph.log import file_of

    file = file_of(address)
    if file is None:
        return address
    from barograph.errors import BadInputError

    if not file.exists():
        raise BadInputError(
            f"{file.absolute()}",
            "there is no log",
            "Feed one first (`barograph replay FILE --home …`)",
        )
    if file.stat().st_size < _SHORTEST_LOG_BYTES:
        raise BadInputError(
            f"{file.absolute()}",
            f"it is cut to {file.stat().st_size} bytes",
            f"Put it back from a copy; or take in what the archive has "
            f"(`barograph recover --home {file.absolute().parent}`)",
        )
    return address


def worked_on(address: Path | str) -> Path | str:
    """An address whose log exists and can be written; a verb that works on it asks before."""
    from barograph.files.disk import check_room
    from barograph.log import file_of

    if (file := file_of(existing(address))) is not None:
        check_room(file.parent, 1 << 20)
    return address


def existing_log(settings: "Settings", log: str | None) -> "closing[Log]":
    """The log at `--log`, or in home, opened and to be closed; it must be there."""
    from barograph.log import open_log

    return closing(open_log(existing(log or settings.home)))


def read_bytes(path: Path) -> bytes:
    """A whole file; of standard input where it is called "-"."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        from barograph.errors import BadInputError

        why = error.strerror or str(error)
        raise BadInputError(str(path), why, "Name a file that can be read") from error


def speed_of(text: str) -> float | None:
    """A factor of the recorded time, or None for as fast as it goes."""
    from barograph.errors import BadInputError

    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInputError(f"speed {text}", "it is no number", "Give a factor, or max") from None


def zone_named(name: str) -> "tzinfo":
    """A time zone by its name in the tz database."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from barograph.errors import BadInputError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInputError(
            f"zone {name}", "there is no such time zone", "Name one as in Europe/Berlin"
        ) from None
