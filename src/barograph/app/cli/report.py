"""Verbs that write reports: report card, report drift, report profile."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import say_json, show
from barograph.app.cli.options import (
    MOST_RECORDS,
    CaseOption,
    HomeOption,
    JsonOption,
    ZoneOption,
    case_named,
    settings_of_existing,
    version_number,
    zone_named,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from barograph.registry.registry import Alias, Registry
    from barograph.training.drift_report import Span

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

    settings, name = settings_of_existing(home), case_named(case).name
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


@app.command("drift")
def report_drift(
    version: Annotated[
        str, typer.Argument(help="Version to keep it with: a number, candidate or champion.")
    ] = "candidate",
    home: HomeOption = None,
    case: CaseOption = "spikes",
    reference: Annotated[
        str, typer.Option(metavar="FROM..TO", help="Reference span; default the earlier half.")
    ] = "",
    current: Annotated[
        str, typer.Option(metavar="FROM..TO", help="Span to compare; default the later half.")
    ] = "",
    evidently: Annotated[
        bool, typer.Option("--evidently", help="Write Evidently's page, too (extra `report`).")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the page; default HOME/reports/CASE/drift.html."),
    ] = None,
    zone: ZoneOption = "UTC",
    json: JsonOption = False,
) -> None:
    """Compare two spans of a dataset: drift, missing values and quality.

    By default the earlier half is compared with the later one. The report is kept with a version in
    the registry, as JSON and as a page; without a version yet it is only written. With --json it is
    printed, and a page is written only if --out is given.
    """
    from barograph.app.cli.answers import warn
    from barograph.registry.registry import Registry
    from barograph.training import dataset, drift_report

    settings, chosen = settings_of_existing(home), case_named(case)
    data = dataset.read(settings.home, chosen)
    before, after = drift_report.halves(data)
    parsed_zone = zone_named(zone)
    before = _span("--reference", reference, parsed_zone) or before
    after = _span("--current", current, parsed_zone) or after
    report = drift_report.drift_report(chosen, data, before, after)
    from barograph.app.reports.drift_page import page

    pages = {drift_report.PAGE: page(report)}
    if evidently:
        from barograph.app.reports import evidently_page

        sides = drift_report.sides(data, before, after)
        columns = drift_report.columns_of(chosen, data)
        pages[evidently_page.FILE] = evidently_page.page(*sides, columns)
    registry = Registry(settings.home)
    number = _kept_with(registry, chosen.name, version)
    encoded = drift_report.encoded(report)
    contents = {name: text.encode() for name, text in pages.items()}
    _keep(registry, chosen.name, number, {drift_report.FILE: encoded, **contents})
    if json:
        say_json(encoded)
    file = out or settings.home / "reports" / chosen.name / "drift.html"
    for name, text in pages.items() if out or not json else ():
        place = file if name == drift_report.PAGE else file.with_name(name)
        _write(place, text)
        if not json:
            show(str(place))
    for key, why in report.too_short.items():
        warn(f"{key}: {why}")
    _warn_unless_kept(chosen.name, number)


@app.command("profile")
def report_profile(
    version: Annotated[
        str, typer.Argument(help="Version to keep it with: a number, candidate or champion.")
    ] = "candidate",
    home: HomeOption = None,
    case: CaseOption = "spikes",
    rows: Annotated[
        int, typer.Option(min=10, max=MOST_RECORDS, help="Most rows, evenly spaced in the dataset.")
    ] = 50_000,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the page; default HOME/reports/CASE/profile.html."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a profile of a dataset: distributions and missing values.

    It is made by ydata-profiling (extra `report`), and kept with a version in the registry.
    """
    from barograph.app.cli.answers import answer
    from barograph.app.reports import profile_page
    from barograph.registry.registry import Registry
    from barograph.training import dataset

    settings, chosen = settings_of_existing(home), case_named(case)
    frame = dataset.read(settings.home, chosen).frame
    sample = frame.gather_every(-(-len(frame) // rows) or 1)
    text = profile_page.page(sample, f"{chosen.name}: {len(sample):,} of {len(frame):,} rows")
    registry = Registry(settings.home)
    number = _kept_with(registry, chosen.name, version)
    _keep(registry, chosen.name, number, {profile_page.FILE: text.encode()})
    file = out or settings.home / "reports" / chosen.name / profile_page.FILE
    _write(file, text)
    kept = None if number is None else f"{chosen.name}/{number}"
    answer({"page": str(file), "rows": len(sample), "kept_with": kept}, json, lambda: str(file))
    _warn_unless_kept(chosen.name, number)


def _keep(
    registry: "Registry", case: str, number: int | None, files: "Mapping[str, bytes]"
) -> None:
    """Keep files with a version, if there is one."""
    if number is None:
        return
    for name, content in files.items():
        registry.attach(case, number, name, content)


def _warn_unless_kept(case: str, number: int | None) -> None:
    from barograph.app.cli.answers import warn

    if number is None:
        warn(f"not kept with a model: case {case} has no version yet")


def _kept_with(registry: "Registry", case: str, version: str) -> int | None:
    """The version to keep a report with; None where the case has none yet.

    Raises RegistryError for one that is not there.
    """
    if not registry.versions(case) and version == "candidate":
        return None
    return _number(registry, case, version)


def _span(option: str, text: str, zone: "tzinfo") -> "Span | None":
    """The span that an option names; None if it is empty. Raises BadInputError."""
    from barograph.errors import BadInputError
    from barograph.times import parse_time
    from barograph.training.drift_report import Span

    if not text:
        return None
    start, dots, end = text.partition("..")
    cure = "Give two times, as in 2026-01-31T00:00:00..2026-02-01T00:00:00"
    try:
        span = Span(parse_time(start, zone), parse_time(end, zone))
    except ValueError as error:
        why = str(error) if dots else "there is no .. between two times"
        raise BadInputError(f"{option} {text}", why, cure) from error
    if span.end_ns <= span.start_ns:
        raise BadInputError(f"{option} {text}", "it ends before it begins", cure)
    return span


def _number(registry: "Registry", case: str, version: str) -> int:
    """Resolve a version number or alias. Raises RegistryError for an alias without a version."""
    from barograph.registry.versions import without_alias

    aliases: dict[str, Alias] = {"candidate": "candidate", "champion": "champion"}
    if (named := version_number(version)) is not None:
        return named
    number = registry.version_of(case, aliases[version]) if version in aliases else None
    if number is None:
        raise without_alias(case, version, registry.versions(case))
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
