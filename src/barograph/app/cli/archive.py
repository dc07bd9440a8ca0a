"""Verbs on the archive: archive list, verify, compact."""

from pathlib import Path
from typing import Annotated

import typer

from barograph.app.cli.answers import answer
from barograph.app.cli.options import HomeOption, JsonOption, settings_of

app = typer.Typer(
    help="The frames that were kept, and what can be made of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Where the Parquet files lie; HOME/parquet if not named."),
]


@app.command("list")
def archive_list(home: HomeOption = None, json: JsonOption = False) -> None:
    """Each file with what its manifest says; no file is read."""
    from barograph.app.terminal import findings
    from barograph.archive.inventory import inventory

    found = inventory(settings_of(home).home / "archive")
    answer(found, json, lambda: findings.inventory(found))


@app.command("verify")
def archive_verify(
    out: OutOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Every file against its manifest, every line read; exit code 1 where one is damaged."""
    from barograph.app.terminal import findings, terminal
    from barograph.archive.compact import compacted
    from barograph.archive.inventory import inspect

    place = settings_of(home).home
    with terminal.progress() as progress:
        found = inspect(
            place / "archive",
            compacted=compacted(out or place / "parquet"),
            progress=progress.records,
        )
    answer(found, json, lambda: findings.inspection(found))
    raise typer.Exit(0 if found.sound else 1)


@app.command("compact")
def archive_compact(
    out: OutOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Events of all finished files as Parquet, by product and hour; goes on where it stopped."""
    from barograph.app.terminal import findings, terminal
    from barograph.archive.compact import compact

    place = settings_of(home).home
    with terminal.progress() as progress:
        done = compact(place / "archive", out or place / "parquet", progress=progress.events)
    answer(done, json, lambda: findings.compaction(done))
