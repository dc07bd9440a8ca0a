"""Verbs that copy a home to a safe place and back: backup, restore."""

from pathlib import Path
from typing import Annotated

import typer

from barograph.app.cli.answers import answer
from barograph.app.cli.options import HomeOption, JsonOption, settings_of, settings_of_existing

app = typer.Typer()


@app.command()
def backup(
    directory: Annotated[Path, typer.Argument(help="Folder of the backup, new or empty.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a home to a folder, while it is in use.

    Its logs with their positions, archive, registry, datasets and the settings file; not a log on
    Kafka or elsewhere, nor access logs. Every file's SHA-256 stands in the record that is written
    last.
    """
    from barograph.app.runs.backup.take import back_up
    from barograph.app.settings import FILE
    from barograph.app.terminal import backup_lines

    place = settings_of_existing(home).home
    settings = Path(FILE)
    done = back_up(place, directory, settings if settings.is_file() else None)
    answer(done, json, lambda: backup_lines.backed_up(done))


@app.command()
def restore(
    directory: Annotated[Path, typer.Argument(help="Folder of the backup.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a home of a backup, once every file of it is verified.

    The home must be new or empty. A feed that starts in it goes on from the backup, with a gap from
    there to its start.
    """
    from barograph.app.runs.backup import restore as restoring
    from barograph.app.terminal import backup_lines

    done = restoring.restore(directory, settings_of(home).home)
    answer(done, json, lambda: backup_lines.restored(done))
