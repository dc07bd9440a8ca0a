"""Verbs that write reports: report card, report compare, report drift, report profile."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.app.cli.answers import answer, say_json, show, show_document, warn, write_named
from barograph.app.cli.options import (
    MOST_RECORDS,
    CaseOption,
    HomeOption,
    JsonOption,
    ZoneOption,
    settings_of_existing,
    version_number,
    zone_named,
)
from barograph.cases.named import case_named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.registry.registry import Alias, Registry
    from barograph.training.comparison import Comparison, Trained
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
    from barograph.app.registries import registry_of
    from barograph.training import card

    settings, name = settings_of_existing(home), case_named(case).name
    registry = registry_of(settings)
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


@app.command("compare")
def report_compare(
    champion: Annotated[
        str, typer.Option(help="Version to compare with: a number, champion or candidate.")
    ] = "champion",
    candidate: Annotated[
        str, typer.Option(help="Version in question: a number, candidate or champion.")
    ] = "candidate",
    home: HomeOption = None,
    champion_home: Annotated[
        Path | None,
        typer.Option(
            help="Home of the champion, as of the branch to merge into; default --home.",
            show_default=False,
        ),
    ] = None,
    case: CaseOption = "spikes",
    form: Annotated[
        Literal["markdown", "html", "json"],
        typer.Option("--format", help="Markdown for a comment, a page, or a JSON object."),
    ] = "markdown",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write instead; with Markdown, charts go beside it as PNG."),
    ] = None,
    if_other: Annotated[
        bool,
        typer.Option(
            "--if-other",
            help="Do nothing unless there is a champion to compare with, of no later data.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare a candidate with a champion on the same rows.

    The rows are of the dataset in --home: those on which the candidate was tested, and that neither
    was fitted on; of a case that fits its models again on all rows, those after both trainings, so
    build a longer dataset first. Scores and their paired differences with intervals, the gate's
    verdict, and what changed in data and code. Exit code 1 where the gate refuses the candidate
    even as a successor of an expired champion, which need not be beaten: it is worse, or too little
    is known. With --if-other the answer is why nothing was compared, where there is no champion yet
    or the candidate is it.
    """
    from barograph.app.reports.comparison_words import headline
    from barograph.training import comparison as comparing
    from barograph.training import dataset

    settings, chosen = settings_of_existing(home), case_named(case)
    other = settings if champion_home is None else settings_of_existing(champion_home)
    with_home = f" of {other.home}" if champion_home is not None else ""
    if if_other and (why := _no_other(settings, other, chosen.name, champion, candidate)):
        answer({"compared": False, "why": why}, json, lambda: f"not compared: {why}")
        return
    result = comparing.compare(
        chosen,
        dataset.read(settings.home, chosen),
        _trained(other, chosen, champion, with_home),
        _trained(settings, chosen, candidate),
    )
    if json:
        say_json(comparing.encoded(result))
    if out is not None:
        _write_comparison(result, form, out)
        if not json:
            show(str(out))
    elif not json:
        show_document(_comparison(result, form))
    if result.worse:
        warn(f"{headline(result)}: {'; '.join(result.reasons)}.")
        raise typer.Exit(1)


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
    from barograph.app.registries import registry_of
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
    registry = registry_of(settings)
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
    keep: Annotated[bool, typer.Option(help="Keep it with the version.")] = True,
    json: JsonOption = False,
) -> None:
    """Write a profile of a dataset: distributions and missing values.

    It is made by ydata-profiling (extra `report`), and kept with a version in the registry.
    """
    from barograph.app.registries import registry_of
    from barograph.app.reports import profile_page
    from barograph.training import dataset

    settings, chosen = settings_of_existing(home), case_named(case)
    frame = dataset.read(settings.home, chosen).frame
    sample = frame.gather_every(-(-len(frame) // rows) or 1)
    text = profile_page.page(sample, f"{chosen.name}: {len(sample):,} of {len(frame):,} rows")
    number = None
    if keep:
        registry = registry_of(settings)
        number = _kept_with(registry, chosen.name, version)
        _keep(registry, chosen.name, number, {profile_page.FILE: text.encode()})
    file = out or settings.home / "reports" / chosen.name / profile_page.FILE
    _write(file, text)
    kept = None if number is None else f"{chosen.name}/{number}"
    answer({"page": str(file), "rows": len(sample), "kept_with": kept}, json, lambda: str(file))
    if keep:
        _warn_unless_kept(chosen.name, number)


def _no_other(
    settings: "Settings", other: "Settings", case: str, champion: str, candidate: str
) -> str:
    """Why there are no two versions to compare; empty where there are. Raises RegistryError."""
    from barograph.app.registries import registry_of

    if champion == "champion" and registry_of(other).champion_version(case) is None:
        return f"{case} has no champion yet"
    if settings.home != other.home:
        return ""
    registry = registry_of(settings)
    numbers = _number(registry, case, champion), _number(registry, case, candidate)
    if numbers[0] == numbers[1]:
        return f"{_words(candidate, case)} is the {champion}"
    if registry.knows_later(case, *numbers):
        return f"{case}/{numbers[0]}, the {champion}, was trained on later data"
    return ""


def _words(version: str, case: str) -> str:
    return f"{case}/{version}" if version.isdecimal() else f"the {version}"


def _trained(settings: "Settings", case: "Case", version: str, with_home: str = "") -> "Trained":
    """A version with its card. Raises RegistryError, and ForeignFeaturesError if it is older."""
    from barograph.app.registries import registry_of
    from barograph.training import card
    from barograph.training.comparison import Trained

    registry = registry_of(settings)
    number = _number(registry, case.name, version)
    label = f"{case.name}/{number}{with_home}"
    model = registry.load(case.name, number, case.feature_set)
    shown = card.decoded(registry.attached(case.name, number, card.FILE), label)
    return Trained(label, model, shown)


def _comparison(result: "Comparison", form: str, picture: str = "") -> str:
    from barograph.training.comparison import encoded

    if form == "json":
        return encoded(result).decode()
    if form == "html":
        from barograph.app.reports.comparison_page import page

        return page(result)
    from barograph.app.reports.comparison_markdown import markdown

    return markdown(result, picture)


def _write_comparison(result: "Comparison", form: str, out: Path) -> None:
    picture = out.with_suffix(".png") if form == "markdown" else None
    _write(out, _comparison(result, form, picture.name if picture else ""))
    if picture is not None:
        from barograph.app.reports.comparison_charts import picture as drawn
        from barograph.files.disk import write_whole

        write_whole(picture, drawn(result))


def _keep(
    registry: "Registry", case: str, number: int | None, files: "Mapping[str, bytes]"
) -> None:
    """Keep files with a version, if there is one."""
    if number is None:
        return
    for name, content in files.items():
        registry.attach(case, number, name, content)


def _warn_unless_kept(case: str, number: int | None) -> None:
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
    write_named("--out", file, text.encode(), "card.html")
