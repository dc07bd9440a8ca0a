"""Verbs that write reports: report card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import say_json, show
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

app = typer.Typer(help="Write reports.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Write reports."""


@app.command("card")
def report_card(
    version: Annotated[
        str, typer.Argument(help="Version number, candidate or champion.")
    ] = "candidate",
    home: HomeOption = None,
    case: CaseOption = "spikes",
    out: Annotated[
        Path | None,
        typer.Option(help="File of the page; default HOME/reports/CASE/card-VERSION.html."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the model card of a version as an HTML page.

    It says what the version is, how it was tested, its scores, and where it fails; the page is
    self-contained, with charts. With --json the card is printed as JSON, and a page is written
    only if --out is given.
    """
    from barograph.registry.registry import Registry
    from barograph.training import card

    settings, name = settings_of(home), case_named(case).name
    registry = Registry(settings.home)
    number = _number(registry, name, version)
    card_json = registry.attached(name, number, card.FILE)
    shown = card.decoded(card_json, f"{name}/{number}")
    if json:
        say_json(card_json)
    if json and out is None:
        return
    from barograph.app.reports.card_page import page

    file = out or settings.home / "reports" / name / f"card-{number}.html"
    _write(file, page(shown))
    if not json:
        show(str(file))


def _number(registry: "Registry", case: str, version: str) -> int:
    """Resolve a version number or alias. Raises RegistryError for an alias without a version."""
    from barograph.errors import RegistryError

    aliases: dict[str, Alias] = {"candidate": "candidate", "champion": "champion"}
    if (named := version_number(version)) is not None:
        return named
    number = registry.version_of(case, aliases[version]) if version in aliases else None
    if number is None:
        raise RegistryError(
            f"{case}/{version}",
            "no version is called that",
            f"Train one (`barograph train --case {case}`)",
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
