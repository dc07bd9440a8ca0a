"""The verb that runs the laws of features over a series: check-feature."""

from itertools import islice
from typing import Annotated

import typer

from barograph.app.cli.answers import answer
from barograph.app.cli.options import (
    MOST_RECORDS,
    HomeOption,
    JsonOption,
    LogOption,
    existing_log,
    settings_of,
)

app = typer.Typer()


@app.command("check-feature")
def check_feature(
    case: Annotated[
        str, typer.Argument(metavar="CASE", help="The case whose features they are: module:NAME.")
    ],
    oracle: Annotated[
        str,
        typer.Option(metavar="MODULE:NAME", help="A function that computes the same features."),
    ] = "",
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_RECORDS, help="Most records, the oldest of the log.")
    ] = 5000,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Check that the features of a case obey the laws of features.

    Runs its machine over records of its source topic, cut and restored anywhere, key by key, and
    without what is older than its longest window. Exit code 1 where a law is broken.
    """
    from barograph.app.terminal import feature_laws
    from barograph.cases.case import live_of
    from barograph.cases.feature_laws import check_features
    from barograph.cases.named import case_named
    from barograph.cases.own_modules import defined, failed
    from barograph.log import browse

    chosen = case_named(case)
    live, settings = live_of(chosen), settings_of(home)
    said = defined(f"--oracle {oracle}", oracle) if oracle else None
    with existing_log(settings, log) as opened:
        records = list(islice(browse.records(opened, live.source), limit))
    try:
        made = check_features(live, records, longest_window_s=chosen.longest_window_s, oracle=said)
    except (
        NameError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError,
        AssertionError, RuntimeError,
    ) as error:  # fmt: skip  # what code under development raises
        raise failed(f"case {case}", error, "Correct the machine, or the oracle") from error
    answer(made, json, lambda: feature_laws.page(made))
    if not made.ok:
        raise typer.Exit(1)
