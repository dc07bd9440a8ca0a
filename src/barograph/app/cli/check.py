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

_CASE = "spikes"  # the case of the market's topics, whose import would take a second


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
    max_age: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MOST_SECONDS,
            callback=no_nan,
            help="Oldest that news may be, in seconds; 0 for any age. Default 30 where a live feed "
            "has written its status, else 0.",
        ),
    ] = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Show whether a topic is alive and long enough.

    Counts, rate, gaps, dead letters, lag and a sample; of a live log also the age of its data, its
    predictions and their model. Exit code 1 where the answer is no, with the reasons.
    """
    from barograph.app.registries import registry_of
    from barograph.app.terminal import findings, terminal
    from barograph.pipeline.check import check as look

    settings = settings_of(home)
    registry = registry_of(settings)
    with existing_log(settings, log) as opened, terminal.progress() as progress:
        result = look(
            opened,
            topic,
            wanted=wanted,
            seconds=seconds,
            max_age_s=max_age,
            champion=lambda: registry.champion_label(_CASE),
            progress=progress.records,
        )
    answer(result, json, lambda: findings.check(result))
    if not result.ok:
        warn(findings.verdict(result))
        raise typer.Exit(1)
