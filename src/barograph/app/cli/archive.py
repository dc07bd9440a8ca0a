"""Verbs on the archive: archive list, verify, compact, push, pull."""

from pathlib import Path
from typing import Annotated

import typer

from barograph.app.cli.answers import answer
from barograph.app.cli.options import HomeOption, JsonOption, LogOption, settings_of

app = typer.Typer(
    help="List, verify, compact and move the archive of received frames.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Directory of the Parquet files; default HOME/parquet."),
]


UrlArgument = Annotated[
    str,
    typer.Argument(
        help="Where: s3://bucket/prefix, file:///srv/history, a path, or what else fsspec reaches.",
        show_default=False,
    ),
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
    from barograph.archive.pushed import pushed

    place = settings_of(home).home
    with terminal.progress() as progress:
        inspection = inspect(
            place / "archive",
            compacted=compacted(out or place / "parquet"),
            pushed=pushed(place / "archive"),
            progress=progress.records,
        )
    answer(inspection, json, lambda: findings.inspection(inspection))
    raise typer.Exit(0 if inspection.sound else 1)


@app.command("compact")
def archive_compact(
    out: OutOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Write the events of finished files as Parquet, by product and hour; resumes if stopped.

    Exit code 1 if a file of the archive is damaged or gone: all that can be read is written, and
    once the file is restored, the next run writes everything anew.
    """
    from barograph.app.terminal import findings, terminal
    from barograph.archive.compact import compact

    place = settings_of(home).home
    with terminal.progress() as progress:
        done = compact(place / "archive", out or place / "parquet", progress=progress.events)
    answer(done, json, lambda: findings.compaction(done))
    raise typer.Exit(1 if done.damaged else 0)


@app.command("push")
def archive_push(
    url: UrlArgument,
    lake: Annotated[
        Path | None,
        typer.Option("--lake", help="Directory of the Parquet files; default HOME/parquet."),
    ] = None,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="Then remove files here that the log has, that are compacted, and that the store "
            "has, byte for byte.",
        ),
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Copy finished files, and the Parquet files, to a bucket or folder; resumes if stopped.

    Each is verified before and after. Exit code 1 if a file that was moved there is gone.
    """
    from barograph.app.runs.moving import move
    from barograph.app.terminal import history, terminal
    from barograph.archive.lake import PROGRESS
    from barograph.errors import BadInputError

    place = settings_of(home).home
    if lake is not None and not (lake / PROGRESS).exists():
        cure = f"Name one that `barograph archive compact --out {lake}` made"
        raise BadInputError(str(lake), "no Parquet files of an archive are there", cure)
    with terminal.progress() as progress:
        done = move(
            place / "archive",
            url,
            lake=lake or place / "parquet",
            log=log or place,
            remove=remove,
            progress=progress.moved,
        )
    answer(done, json, lambda: history.pushed(done))
    raise typer.Exit(1 if done.lost else 0)


@app.command("pull")
def archive_pull(url: UrlArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Bring back files that are absent here from a bucket or folder; resumes if stopped.

    Each is verified against its manifest before it gets its name. The home may be new.
    """
    from barograph.app.terminal import history, terminal
    from barograph.archive.object_store import open_store
    from barograph.archive.pull import pull

    archive = settings_of(home).home / "archive"
    with terminal.progress() as progress:
        done = pull(archive, open_store(url), progress=progress.moved)
    answer(done, json, lambda: history.pulled(done))
