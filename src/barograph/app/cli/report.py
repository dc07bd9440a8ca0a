"""Verbs that make reports: report card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import say
from barograph.app.cli.options import (
    CaseOption,
    HomeOption,
    JsonOption,
    case_named,
    settings_of,
    version_number,
)

if TYPE_CHECKING:
    from barograph.registry.registry import Alias, Registry

app = typer.Typer(help="Reports to read and to show.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Reports to read and to show."""


@app.command("card")
def report_card(
    version: Annotated[str, typer.Argument(help="A number, candidate or champion.")] = "candidate",
    home: HomeOption = None,
    case: CaseOption = "spikes",
    out: Annotated[
        Path | None,
        typer.Option(help="The page; if not given, HOME/reports/CASE/card-VERSION.html."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """The model card: what a version is, how it was tested, how good it is, and where it fails.

    It is one page with pictures that needs nothing else. With --json the card itself is printed,
    and a page is written only where --out names one.
    """
    from barograph.registry.registry import Registry
    from barograph.training import card

    settings, name = settings_of(home), case_named(case).name
    registry = Registry(settings.home)
    number = _number(registry, name, version)
    card_json = registry.attached(name, number, card.FILE)
    shown = card.decoded(card_json, f"{name}/{number}")
    if json:
        say(card_json)
    if json and out is None:
        return
    from barograph.app.reports.card_page import page

    file = out or settings.home / "reports" / name / f"card-{number}.html"
    _write(file, page(shown))
    if not json:
        say(str(file))


def _number(registry: "Registry", case: str, version: str) -> int:
    """The version that a number or an alias names."""
    from barograph.errors import RegistryError

    aliases: dict[str, Alias] = {"candidate": "candidate", "champion": "champion"}
    if (named := version_number(version)) is not None:
        return named
    number = registry.version_of(case, aliases[version]) if version in aliases else None
    if number is None:
        raise RegistryError(
            f"{case}/{version}", "no version is called that", "Train one (`barograph train`)"
        )
    return number


def _write(file: Path, text: str) -> None:
    from barograph.errors import BadInputError
    from barograph.files.disk import declared, write_whole

    if not file.name:
        raise BadInputError(f"--out {file}", "it names no file", "Name one, as in card.html")
    try:
        with declared(file.parent, len(text)):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text.encode())
    except BadInputError as error:
        raise BadInputError(str(file), error.why, "Name another file (--out)") from error
