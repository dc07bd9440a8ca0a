"""The verb that checks the health of a topic: check."""

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
    topic: Annotated[str, typer.Option("--topic", help="The topic to check.")] = "ticks.raw",
    wanted: Annotated[
        int,
        typer.Option(
            "--min",
            min=0,
            max=MOST_RECORDS,
            help="Fewest ticks (of another topic: records) to pass.",
        ),
    ] = 1,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MOST_SECONDS,
            callback=no_nan,
            help="Count only what arrives within this many seconds from now.",
        ),
    ] = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Show counts, rate, gaps, lag and a sample of a topic.

    Exit code 1 if it holds fewer than --min.
    """
    from barograph.app.terminal import findings, terminal
    from barograph.pipeline.check import check as look

    with existing_log(settings_of(home), log) as opened, terminal.progress() as progress:
        result = look(opened, topic, wanted=wanted, seconds=seconds, progress=progress.records)
    answer(result, json, lambda: findings.check(result))
    if not result.ok:
        warn(findings.verdict(result))
        raise typer.Exit(1)
