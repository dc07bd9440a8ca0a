"""Verbs on the archive: archive list, verify, compact."""

from pathlib import Path
from typing import Annotated

import typer

from barograph.app.cli.answers import answer
from barograph.app.cli.options import HomeOption, JsonOption, settings_of

app = typer.Typer(
    help="List, verify and compact the archive of received frames.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Directory of the Parquet files; default HOME/parquet."),
]


@app.command("list")
def archive_list(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the archive files with the facts of their manifests; no file is read."""
    from barograph.app.terminal import findings
    from barograph.archive.inventory import inventory

    listed = inventory(settings_of(home).home / "archive")
    answer(listed, json, lambda: findings.inventory(listed))


@app.command("verify")
def archive_verify(
    out: OutOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Check every file against its manifest and read every line; exit code 1 if one is damaged."""
    from barograph.app.terminal import findings, terminal
    from barograph.archive.compact import compacted
    from barograph.archive.inventory import inspect

    place = settings_of(home).home
    with terminal.progress() as progress:
        inspection = inspect(
            place / "archive",
            compacted=compacted(out or place / "parquet"),
            progress=progress.records,
        )
    answer(inspection, json, lambda: findings.inspection(inspection))
    raise typer.Exit(0 if inspection.sound else 1)


@app.command("compact")
def archive_compact(
    out: OutOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Write the events of finished files as Parquet, by product and hour; resumes if stopped."""
    from barograph.app.terminal import findings, terminal
    from barograph.archive.compact import compact

    place = settings_of(home).home
    with terminal.progress() as progress:
        done = compact(place / "archive", out or place / "parquet", progress=progress.events)
    answer(done, json, lambda: findings.compaction(done))
