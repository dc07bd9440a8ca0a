"""The verb that builds datasets."""

from contextlib import closing
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.forms import FormOption, form_in
from barograph.app.cli.options import (
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    ZoneOption,
    existing_log,
    names_in,
    settings_of,
    time_named,
    zone_named,
)
from barograph.cases.named import case_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.training.dataset import DatasetManifest
    from barograph.training.engines import Engine
    from barograph.venues.forms.own import OwnForm

app = typer.Typer()


class _Recordings(NamedTuple):
    """Recordings to build a dataset from, and how to read them."""

    files: "Sequence[Path]" = ()
    products: "Sequence[str]" = ()
    form: "OwnForm | None" = None
    zone: tzinfo = UTC


_NO_RECORDINGS = _Recordings()


@app.command()
def dataset(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings to use instead of the archive, or files of records."),
    ] = None,
    home: HomeOption = None,
    log: LogOption = None,
    case: CaseOption = "spikes",
    products: Annotated[str, typer.Option(help="Only these of recordings, comma-separated.")] = "",
    form: FormOption = None,
    zone: ZoneOption = "UTC",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Of hours: only rows that ended by then.")
    ] = "",
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            help="embedded, local (processes of this machine), or spark, spark://HOST:PORT, "
            "spark:MASTER as spark:local[2].",
        ),
    ] = "embedded",
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Processes of --engine local; default one a processor."),
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Folder or address (s3://…) of compacted events to use instead of the home's, "
            "with another --engine.",
        ),
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Folder or address that all workers reach, for what they compute; default in the "
            "home.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Build labelled feature rows from the archive or from files.

    FILES are recordings used instead of the archive, without a log. A record case is always
    built from FILES, through its contract; a series from another source than the market's is
    built from its log.

    With --engine local or spark, the archive is compacted first (`barograph archive compact`), and
    stretches of about a day are computed side by side: the same bytes. Run again, it goes on.
    """
    from barograph.app.terminal import terminal
    from barograph.training import lake_dataset, record_dataset

    settings, chosen = settings_of(home), case_named(case)
    until_ns = time_named("--until", until)
    if until_ns is not None and own_source(chosen) is None:
        raise typer.BadParameter("it is for series whose log is their source", param_hint="--until")
    many = engine_named(engine, workers)
    for option, given in (("--lake", lake), ("--scratch", scratch)):
        if many is None and given is not None:
            raise typer.BadParameter("it is for --engine local and spark", param_hint=option)
        if given == "":
            raise typer.BadParameter("it is empty: name a folder or an address", param_hint=option)
    if many is not None:
        if files or products or own_source(chosen) is not None or chosen.stream is not None:
            why = (
                "only a market's archive or lake is read so, whole: leave out FILES and --products"
            )
            raise typer.BadParameter(why, param_hint="--engine")
        with terminal.progress() as progress:
            made = lake_dataset.build(
                settings.home,
                chosen,
                many,
                lake=lake,
                scratch=scratch,
                compacted=progress.events,
                computed=progress.computed,
            )
        _warn_of_damage(made)
        if lake is None:
            _warn_of_gone(settings.home)
        answer(made, json, lambda: terminal.dataset(made))
        return
    if chosen.stream is not None:
        with terminal.progress() as progress:
            table = record_dataset.build(
                settings.home, chosen, files or [], progress=progress.records
            )
        answer(table, json, lambda: terminal.record_dataset(table))
        return
    recordings = _Recordings(files or [], names_in(products), form_in(form), zone_named(zone))
    if not files and own_source(chosen) is None:
        _warn_of_moved(settings.home / "archive")
    made = built(settings, log, chosen, recordings, until_ns)
    answer(made, json, lambda: terminal.dataset(made))


def _warn_of_gone(home: "Path") -> None:
    """Warn of files that neither the archive has nor what is compacted of it."""
    from barograph.archive.files import archive_files
    from barograph.archive.lake import read_progress

    known = read_progress(home / "parquet").files
    files = [file.path.name for file in archive_files(home / "archive") if not file.there]
    if gone := [name for name in files if name not in known]:
        warn(
            f"{len(gone):,} of the archive's files are gone, and were not compacted (first "
            f"{gone[0]}); their events are not in the dataset. Bring them back (`barograph archive "
            "pull URL`)."
        )


def _warn_of_moved(archive: Path) -> None:
    from barograph.archive.files import archive_files

    if gone := [file.path.name for file in archive_files(archive) if not file.there]:
        warn(
            f"{len(gone):,} of the archive's files are not on this disk (first {gone[0]}); their "
            "events are not in the dataset. Bring them back (`barograph archive pull URL`), or "
            "build it from what is compacted (--engine local)."
        )


def engine_named(name: str, workers: int | None) -> "Engine | None":
    """The engine of that name; None for the embedded one. Raises BadParameter."""
    import os
    import re

    from barograph.training.engines import LocalEngine
    from barograph.training.spark import SparkEngine

    if workers is not None and name != "local":
        raise typer.BadParameter("it is for --engine local", param_hint="--workers")
    if name == "embedded":
        return None
    if name == "local":
        return LocalEngine(workers or os.cpu_count() or 1)
    if name == "spark":
        return SparkEngine(None)
    master = name if name.startswith("spark://") else name.partition("spark:")[2]
    if re.fullmatch(
        r"spark://.+|local(\[[\d*,]+\])?|local-cluster\[[\d,]+\]|yarn|k8s://.+", master
    ):
        return SparkEngine(master)
    why = f"{name!r} is none: embedded, local, spark, spark://HOST:PORT, spark:MASTER"
    raise typer.BadParameter(why, param_hint="--engine")


def _warn_of_damage(made: "DatasetManifest") -> None:
    for path, why in made.unreadable.items():
        warn(
            f"{path}: {why}; what cannot be read of it is not in the dataset. Restore it from a "
            "copy (`barograph archive verify` names all damage) and build the dataset again."
        )


def own_source(case: "Case") -> str | None:
    """The source topic of a series that only its log keeps, not the archive."""
    from barograph.log.topics import TICKS

    return None if case.live is None or case.live.source == TICKS else case.live.source


def built(
    settings: "Settings",
    log: str | None,
    case: "Case",
    recordings: _Recordings = _NO_RECORDINGS,
    until_ns: int | None = None,
) -> "DatasetManifest":
    """Rebuild the dataset of a case that is not of records, from archive, recordings or log."""
    from barograph.app.intake import rules_of
    from barograph.app.terminal import terminal
    from barograph.errors import BadInputError
    from barograph.log import open_log
    from barograph.pipeline.kept_letters import KeptLetters
    from barograph.training import dataset, series_dataset
    from barograph.types import NS_PER_S

    if own_source(case) is None:
        letters = KeptLetters(lambda: open_log(log or settings.home), settings.partitions)
        with closing(letters), terminal.progress() as progress:
            made = dataset.build(
                settings.home,
                case,
                recordings=recordings.files,
                rules=rules_of(settings, recordings.products),
                form=recordings.form,
                zone=recordings.zone,
                # Those of the archive are in its log already.
                refuse=letters.add if recordings.files else lambda _letter: None,
                progress=progress.events,
            )
        _warn_of_damage(made)
        return made
    if recordings.files:
        raise BadInputError(
            f"case {case.name}", "its dataset is built from its log", "Leave out FILES"
        )
    with existing_log(settings, log) as opened, terminal.progress() as progress:
        until_s = None if until_ns is None else until_ns // NS_PER_S
        return series_dataset.build(
            opened, settings.home, case, until_s=until_s, progress=progress.records
        )
