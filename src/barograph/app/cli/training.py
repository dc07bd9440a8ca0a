"""The verb that trains."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.app.cli.answers import answer, answer_json, warn
from barograph.app.cli.dataset import built, own_source
from barograph.app.cli.observing import LogFormatOption, MetricsPortOption, observed
from barograph.app.cli.options import (
    MOST_KEPT_ROWS,
    MOST_MINUTES,
    MOST_SECONDS,
    MOST_SEED,
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    at,
    existing_log,
    names_in,
    no_nan,
    settings_of,
    time_named,
    with_case,
)
from barograph.app.cli.stopping import stop_requested
from barograph.cases.named import NAMED, case_named

if TYPE_CHECKING:
    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.training.card import Card
    from barograph.training.due import Due
    from barograph.training.report import TrainingReport
    from barograph.training.walkforward import Training

app = typer.Typer()


@app.command()
def train(
    home: HomeOption = None,
    log: LogOption = None,
    case: CaseOption = "spikes",
    split: Annotated[
        Literal["auto", "walk-forward", "leave-session-out"],
        typer.Option(help="Test on later hours or on whole sessions; auto: sessions if 3 or more."),
    ] = "auto",
    folds: Annotated[
        int | None, typer.Option(min=2, max=50, help="Folds of the walk-forward split.")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=0, max=1000, help="Hyperparameter trials, compared on held-out rows.")
    ] = 0,
    minutes: Annotated[
        float,
        typer.Option(min=0, max=MOST_MINUTES, callback=no_nan, help="Most minutes for the trials."),
    ] = 5.0,
    control: Annotated[bool, typer.Option(help="Train again on labels without a signal.")] = True,
    horizon: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_SECONDS, help="Seconds ahead; only what the case forecasts."),
    ] = None,
    quantile: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=0.999,
            callback=no_nan,
            help="Quantile of the outcomes from which one is a spike; default 0.9.",
        ),
    ] = None,
    candidates: Annotated[
        str,
        typer.Option(
            help="Only these beside the baselines, comma-separated; your own as module:NAME."
        ),
    ] = "",
    seed: Annotated[
        int | None, typer.Option(min=0, max=MOST_SEED, help="Seed of every random draw.")
    ] = None,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Train only if due, on a rebuilt dataset.")
    ] = False,
    once: Annotated[
        bool,
        typer.Option("--once", help="Not again on the rows, settings and code of a version."),
    ] = False,
    promote: Annotated[
        bool, typer.Option(help="Make it the champion where the gate says so.")
    ] = True,
    max_rows: Annotated[
        int | None,
        typer.Option(
            min=1000,
            max=MOST_KEPT_ROWS,
            help="Of a longer dataset sample the older rows; default 1,000,000.",
        ),
    ] = None,
    at_time: Annotated[
        str, typer.Option("--at", metavar="TIME", help="Time of the training; default now.")
    ] = "",
    follow: Annotated[
        bool, typer.Option(help="Train whenever due until Ctrl-C; checks every minute.")
    ] = False,
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    json: JsonOption = False,
) -> None:
    """Train, evaluate and register a model, and let the gate decide."""
    from barograph.app.terminal import training_summary, training_table
    from barograph.cases.case import adapted
    from barograph.cases.own_candidates import own_candidates
    from barograph.training.due import Due
    from barograph.training.walkforward import Training

    settings, names = settings_of(home), names_in(candidates)
    chosen = adapted(
        case_named(case),
        quantile=quantile,
        candidates=[name for name in names if ":" not in name],
        own=[one for name in names if ":" in name for one in own_candidates(name)],
    )
    _refuse_horizon(chosen, horizon)
    if follow or if_due:
        _refuse_beside_due("--follow" if follow else "--if-due", at_time=at_time, once=once)
    if follow:
        with observed(settings, "train --follow", metrics_port, log_format) as events:
            events.started(settings.home, log or settings.home, case=case)
            lines = _follow(settings, log, chosen)
        if json:  # to a person each training was reported when it ended
            answer_json({"trained": lines})
        return
    how = Training(
        seed=settings.seed if seed is None else seed,
        folds=folds or settings.folds,
        split=split,
        trials=trials,
        minutes=minutes,
        control=control,
        lifetime_h=settings.model_lifetime_h,
        quantile=quantile,
        candidates=tuple(names),
        promote=promote,
    )
    at_ns = time_named("--at", at_time)
    made = (
        _trained_if_due(settings, log, chosen, how, max_rows)
        if if_due
        else _trained(settings, chosen, how, at_ns, once=once, max_rows=max_rows)
    )
    if isinstance(made, Due):
        answer(made, json, lambda: f"not trained: {made.why}")
    else:
        answer(
            made,
            json,
            lambda: training_summary.training(
                made, training_summary.next_step(made, with_case(case) + at(home))
            ),
            lambda: training_table.training(made),
        )


def _refuse_beside_due(option: str, *, at_time: str, once: bool) -> None:
    """Raise BadParameter for options that a training which waits until it is due cannot keep."""
    for name, given in (("--at", bool(at_time)), ("--once", once)):
        if given:
            why = f"it trains as at the time of now, and only on new data; leave out {name}"
            raise typer.BadParameter(f"{why}, or {option}", param_hint=f"{option} {name}")


def _refuse_horizon(case: "Case", horizon_s: int | None) -> None:
    """Raise BadInputError for a horizon that is not the case's: dataset and live path hold it."""
    from barograph.errors import BadInputError

    if horizon_s is not None and horizon_s != case.horizon_s:
        raise BadInputError(
            f"--horizon {horizon_s}",
            f"the dataset and the predictions of {case.name} are for {case.horizon_s} s",
            f"Name the case of that horizon (--case {named})"
            if (named := _of_horizon(case, horizon_s))
            else "Write a case of that horizon on the same rows (docs/your-own-case.md says how), "
            "and name it with --case package.module:NAME",
        )


def _of_horizon(case: "Case", horizon_s: int) -> str:
    """The built-in case of another horizon on the same rows; empty where there is none."""
    if case.live is None:
        return ""
    measure = case.live.value_now.rpartition("_")[0]
    for name in NAMED:
        live = case_named(name).live
        if (
            live is not None
            and (live.rows, live.horizon_s) == (case.live.rows, horizon_s)
            and live.value_now.rpartition("_")[0] == measure
        ):
            return name
    return ""


def _trained(
    settings: "Settings",
    case: "Case",
    how: "Training",
    at_ns: int | None = None,
    *,
    once: bool = False,
    max_rows: int | None = None,
) -> "TrainingReport | Due":
    """Train on the dataset; with `once` the version that was trained on it the same way counts."""
    import time

    from barograph.app.registries import registry_of
    from barograph.app.terminal import terminal
    from barograph.cases.own_modules import own_files
    from barograph.sources import code_hash
    from barograph.training import train
    from barograph.training.dataset_table import refuse_later_rows
    from barograph.training.due import Due
    from barograph.training.sampled_dataset import read_for
    from barograph.training.trained_alike import trained_alike

    data, how = read_for(settings.home, case, how, max_rows)
    code = code_hash(own_files())
    refuse_later_rows(case, data, at_ns)
    registry = registry_of(settings, warn=warn)
    cut_off: list[int] = []
    if once:
        alike = trained_alike(registry, case.name, data.data_hash, how, code)
        if isinstance(alike, Due):
            return alike
        cut_off = alike
    with terminal.progress() as progress:
        return train.train(
            case,
            data,
            registry,
            how,
            clock_ns=time.time_ns,
            at_ns=at_ns,
            again=cut_off,
            code_hash=code,
            progress=progress.steps,
            page=_page,
        )


def _page(card: "Card") -> str:
    from barograph.app.reports.card_page import (
        page,  # draws with matplotlib, which nobody else waits for
    )

    return page(card)


def _trained_if_due(
    settings: "Settings",
    log: str | None,
    case: "Case",
    how: "Training",
    max_rows: int | None,
) -> "TrainingReport | Due":
    """Rebuild the dataset and train if due; return the decision if not due or already running."""
    from barograph.training.due import Due, turn

    with turn(settings.home, case.name) as ours:
        if not ours:
            return Due(due=False, why=f"another training of {case.name} is running")
        decision = _due(settings, log, case)
        if not decision.due:
            return decision
        warn(f"training {case.name}: {decision.why}")
        if case.stream is None:
            built(settings, log, case)
        return _trained(settings, case, how, max_rows=max_rows)


def _follow(settings: "Settings", log: str | None, case: "Case") -> list[str]:
    """Run this command line with --if-due in a child process whenever training is due.

    Returns a line for each training.
    """
    from barograph.app.runs.retraining import Retraining, training

    words = [*sys.argv[1:], "--no-follow", "--if-due", "--json"]
    with (
        stop_requested() as stop,
        Retraining(
            lambda: _due(settings, log, case), lambda: training(words, settings), warn
        ) as retraining,
    ):
        stop.wait()
    return retraining.trained


def _due(settings: "Settings", log: str | None, case: "Case") -> "Due":
    from barograph.app.registries import registry_of
    from barograph.training import dataset, due

    if case.stream is not None:
        # A record case is trained on the files given to `dataset`.
        heard_ns = due.newest_file_ns([dataset.paths(settings.home, case)[1]])
    elif (source := own_source(case)) is not None:
        with existing_log(settings, log) as opened:
            heard_ns = due.newest_record_ns(opened, source)
    else:
        heard_ns = due.newest_frame_ns(settings.home)
    return due.due_now(registry_of(settings), case.name, heard_ns, settings.retrain_every_h)
