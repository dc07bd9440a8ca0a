"""The verb that looks whether a topic is what it should be: check."""

from typing import Annotated

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.options import (
    MOST_RECORDS,
    MOST_SECONDS,
    HomeOption,
    JsonOption,
    LogOption,
    existing_log,
    no_nan,
    settings_of,
)

app = typer.Typer()


@app.command()
def check(
    topic: Annotated[str, typer.Option("--topic", help="The topic to look at.")] = "ticks.raw",
    wanted: Annotated[
        int,
        typer.Option(
            "--min", min=0, max=MOST_RECORDS, help="So many ticks, or records of another topic."
        ),
    ] = 1,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MOST_SECONDS,
            callback=no_nan,
            help="Watch what arrives for so long, and only that.",
        ),
    ] = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Counts, rate, gaps, dead letters, lag and a sample of a topic; exit code 1 when short."""
    from barograph.app.terminal import findings, terminal
    from barograph.pipeline.check import check as look

    with existing_log(settings_of(home), log) as opened, terminal.progress() as progress:
        found = look(opened, topic, wanted=wanted, seconds=seconds, progress=progress.records)
    answer(found, json, lambda: findings.check(found))
    if not found.ok:
        warn(findings.verdict(found))
        raise typer.Exit(1)
