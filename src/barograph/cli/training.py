"""Verbs that make models: dataset, train."""

from pathlib import Path
from typing import Annotated

import typer

from barograph.cli.answers import answer
from barograph.cli.options import CaseOption, HomeOption, JsonOption, case_named, rules, settings_of

app = typer.Typer()


@app.command()
def dataset(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings to take instead of the archive; files of records."),
    ] = None,
    home: HomeOption = None,
    case: CaseOption = "spikes",
    json: JsonOption = False,
) -> None:
    """The archive, or files of records, as feature rows with labels.

    With FILES: these recordings instead, as if they had been replayed; no log is needed. A case
    whose records are scored as they come is made of FILES, through the same contract.
    """
    from barograph import dataset as job
    from barograph import record_dataset, terminal

    settings, chosen = settings_of(home), case_named(case)
    if chosen.stream is not None:
        with terminal.progress() as progress:
            table = record_dataset.build(
                settings.home, chosen, files or [], progress=progress.records
            )
        answer(table, json, lambda: terminal.record_dataset(table))
        return
    with terminal.progress() as progress:
        made = job.build(
            settings.home,
            chosen,
            recordings=files or [],
            rules=rules(settings),
            progress=progress.events,
        )
    answer(made, json, lambda: terminal.dataset(made))


@app.command()
def train(
    home: HomeOption = None,
    case: CaseOption = "spikes",
    folds: Annotated[int | None, typer.Option(min=2, max=50, help="Of the walk forward.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything drawn by chance.")] = None,
    json: JsonOption = False,
) -> None:
    """Train, evaluate, register, and let the gate decide."""
    import time

    from barograph import terminal
    from barograph import train as job
    from barograph.dataset import read
    from barograph.registry import Registry

    settings = settings_of(home)
    with terminal.progress() as progress:
        chosen = case_named(case)
        how = job.Training(
            seed=settings.seed if seed is None else seed, folds=folds or settings.folds
        )
        report = job.train(
            chosen,
            read(settings.home, chosen),
            Registry(settings.home),
            how,
            clock_ns=time.time_ns,
            progress=progress.steps,
        )
    answer(report, json, lambda: terminal.training(report))
