"""The verb that restores a log from its archive: recover."""

from typing import TYPE_CHECKING

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.options import HomeOption, JsonOption, LogOption, settings_of

if TYPE_CHECKING:
    from barograph.feed.recover import Recovered

app = typer.Typer()


@app.command("recover")
def recover_verb(home: HomeOption = None, log: LogOption = None, json: JsonOption = False) -> None:
    """Read archive files that the log lacks into the log.

    Use it after a log was lost or restored from an older copy. It resumes where it stopped.
    """
    from contextlib import closing

    from barograph.app.terminal import findings, terminal
    from barograph.archive.files import existing_files
    from barograph.feed.recover import recover
    from barograph.log import open_log

    settings = settings_of(home)
    archive = settings.home / "archive"
    existing_files(archive)  # before a log is created
    with closing(open_log(log or settings.home)) as opened, terminal.progress() as progress:
        done: Recovered = recover(
            opened,
            archive,
            partitions=settings.partitions,
            warn=warn,
            progress=progress.events,
        )
    answer(done, json, lambda: findings.recovered(done))
