"""The verb that scores a file with a model: predict."""

from pathlib import Path
from typing import Annotated, Any

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.options import (
    CaseOption,
    HomeOption,
    JsonOption,
    ZoneOption,
    names_in,
    settings_of,
    version_number,
    zone_named,
)
from barograph.cases.named import case_named

app = typer.Typer()


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Recordings, as for `replay`.")],
    out: Annotated[Path, typer.Option("--out", help="File of the table, Parquet.")],
    model: Annotated[
        str, typer.Option("--model", help="Version number, candidate or champion.")
    ] = "champion",
    products: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
    zone: ZoneOption = "UTC",
    home: HomeOption = None,
    case: CaseOption = "spikes",
    json: JsonOption = False,
) -> None:
    """Score recordings with a model, and write a table.

    One row for each closed second of each product, with time, product, probability, verdict and
    threshold, as a live run would have predicted it. The model is taken from --home; nothing else
    there is read or changed.
    """
    from barograph.app.registries import registry_of
    from barograph.app.runs import predicting
    from barograph.app.terminal import terminal
    from barograph.archive.recording_files import recording_files

    number = version_number(model)
    which: Any = model if number is None else number
    settings, of, tzinfo = settings_of(home), case_named(case), zone_named(zone)
    plan = predicting.PredictPlan(
        files=recording_files(files, tzinfo),
        out=out,
        products=names_in(products),
        zone=tzinfo,
    )
    chosen = registry_of(settings).load(of.name, which, of.feature_set)
    with terminal.progress() as progress:
        done = predicting.predict(settings, of, chosen, plan, warn, progress)
    answer(done, json, lambda: terminal.predicted(done))
