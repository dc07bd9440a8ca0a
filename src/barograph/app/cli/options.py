"""Options that several verbs share, and what they resolve to: settings, cases, logs, times."""

import math
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import tzinfo

    from barograph.app.settings import Settings
    from barograph.errors import BadInputError
    from barograph.log import Log


def _named(value: str) -> str:
    """Return `value`. Raises BadInputError if it is empty, as from an unset shell variable."""
    if not value:
        from barograph.errors import BadInputError

        raise BadInputError(
            "an option", "--home or --log is empty", "Give a path, or leave the option out"
        )
    return value


def _home(value: str) -> Path:
    return Path(_named(value))


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Directory of log, archive, datasets and registry.",
        show_default=False,
        parser=_home,
        metavar="PATH",
    ),
]
LogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        help="Log instead of the one in --home: sqlite:///path or "
        "kafka://host:port,host:port/namespace.",
        parser=_named,
        metavar="TEXT",
    ),
]
ZoneOption = Annotated[str, typer.Option("--zone", help="Time zone of recorded times without one.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
CaseOption = Annotated[
    str,
    typer.Option(
        "--case",
        help="Case: spikes (-10s, -5m, -15m), churn, hourly (-6h, -24h), or yours as module:NAME.",
    ),
]

MOST_RECORDS = 10**12
MOST_BATCH = 1_000_000
MOST_RATE = 1e6
MOST_SECONDS = 10**10
MOST_MINUTES = 10**7
MOST_HOURS = 10**5
MOST_KEPT_ROWS = 10**10
"""What an option may be at most: none that makes sense is larger, and larger ones overflow."""

_LONGEST_VERSION = 9
MOST_SEED = 2**32 - 1
"""What NumPy and scikit-learn take."""

_SHORTEST_LOG_BYTES = 512
"""SQLite treats a shorter file as a new, empty database."""


def settings_of(home: Path | None, *, tell: bool = True) -> "Settings":
    """Load the settings; `home` overrides theirs. Raises BadInputError for invalid settings.

    tell: name an environment variable that is a misspelt setting in a warning.
    """
    from tomllib import TOMLDecodeError

    from pydantic import ValidationError

    from barograph.app import settings as origin
    from barograph.app.cli.answers import warn
    from barograph.errors import BadInputError

    for variable, meant in origin.misspelt().items() if tell else ():
        warn(f"{variable} is no setting and is ignored. Did you mean {meant}?")
    try:
        settings = origin.Settings(home=home) if home is not None else origin.Settings()
    except UnicodeDecodeError as error:
        raise BadInputError(
            str(Path(origin.FILE).absolute()),
            f"it is not UTF-8 (byte {error.start})",
            "Save it as UTF-8, or remove it",
        ) from error
    except TOMLDecodeError as error:
        raise BadInputError(
            str(Path(origin.FILE).absolute()), str(error), "Correct it as TOML: KEY = VALUE"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _invalid(".".join(map(str, first["loc"])), first["type"], first["msg"]) from error
    _check_directory(settings.home)
    return settings


def settings_of_existing(home: Path | None) -> "Settings":
    """The settings, for a verb that only reads what a home holds. Raises BadInputError without one.

    A name that is mistyped is no home in which nothing was done yet.
    """
    from barograph.errors import BadInputError

    settings = settings_of(home)
    if not settings.home.is_dir():
        raise BadInputError(
            str(settings.home.absolute()),
            "there is no such home",
            "Name another (--home), or feed one first (`barograph replay FILE --home …`)",
        )
    return settings


def _check_directory(home: Path) -> None:
    """Raise BadInputError if a file stands where the home is, or where a folder above it is."""
    from barograph.errors import BadInputError

    for place in (home, *home.parents):
        if place.is_dir():
            return
        if place.exists():
            raise BadInputError(
                str(place), "it is no directory, so it can hold no home", "Name another (--home)"
            )


def _invalid(key: str, kind: str, why: str) -> "BadInputError":
    """The error for a key that is unknown or whose value is not allowed, with its place."""
    from barograph.app import settings as origin
    from barograph.errors import BadInputError

    _, where = origin.Sources({}).of(key.split(".", maxsplit=1)[0])
    what = f"{where}: {key}" if where else f"setting {key}"
    if kind != "extra_forbidden":
        return BadInputError(what, why, "`barograph settings` lists all with their values")
    meant = origin.near(key)
    cure = f"Did you mean {meant}" if meant else "Remove it"
    return BadInputError(what, "there is no such setting", cure)


def with_case(name: str) -> str:
    """The option that names a case, for a command to copy; empty for the default."""
    import shlex

    return "" if name == "spikes" else f" --case {shlex.quote(name)}"


def at(home: Path | None) -> str:
    """The option that names `home`, for a command to copy; empty if it was not given."""
    import shlex

    return "" if home is None else f" --home {shlex.quote(str(home))}"


@contextmanager
def home_or_temporary(home: Path | None) -> Iterator[Path]:
    """Yield `home`, or a temporary directory that is removed at the end."""
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
    """Split a comma-separated list; empty names are dropped."""
    return [name.strip() for name in text.split(",") if name.strip()]


def existing(address: Path | str) -> Path | str:
    """Return `address` if its log exists, so that a verb that only reads creates none.

    Raises BadInputError if the log file is missing or truncated; a remote log is not checked.
    """
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
            f"it is truncated to {file.stat().st_size} bytes",
            f"Restore it from a copy, or rebuild it from the archive "
            f"(`barograph recover --home {file.absolute().parent}`)",
        )
    return address


def worked_on(address: Path | str) -> Path | str:
    """Return `address` if its log exists and can be written. Raises BadInputError otherwise."""
    from barograph.files.disk import check_room
    from barograph.log import file_of

    if (file := file_of(existing(address))) is not None:
        check_room(file.parent, 1 << 20)
    return address


def existing_log(settings: "Settings", log: str | None) -> "closing[Log]":
    """Open the log at `log`, or in home, for a `with` statement. Raises as `existing` does."""
    from barograph.log import open_log

    return closing(open_log(existing(log or settings.home)))


def read_bytes(path: Path) -> bytes:
    """Read a whole file, or standard input if `path` is "-". Raises BadInputError."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        from barograph.errors import BadInputError

        why = error.strerror or str(error)
        raise BadInputError(str(path), why, "Name a readable file") from error


def speed_of(text: str) -> float | None:
    """Parse a speed: a factor of recorded time, or None for "max". Raises BadInputError."""
    from barograph.errors import BadInputError

    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInputError(
            f"speed {text}", "it is not a number", "Give a factor, or max"
        ) from None


def time_named(option: str, text: str) -> int | None:
    """The time that an option names in Unix nanoseconds; None if empty. Raises BadInputError."""
    from barograph.errors import BadInputError
    from barograph.times import parse_time

    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        cure = "Give a time with its zone, as 2026-01-31T00:00:00Z"
        raise BadInputError(f"{option} {text}", str(error), cure) from None


def zone_named(name: str) -> "tzinfo":
    """Return a time zone of the tz database. Raises BadInputError for an unknown name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from barograph.errors import BadInputError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInputError(
            f"zone {name}",
            "there is no such time zone",
            "Use a name of the tz database, e.g. Europe/Berlin",
        ) from None
