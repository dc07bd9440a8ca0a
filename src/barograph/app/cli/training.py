"""Verbs that build datasets and models: dataset, train."""

import sys
from contextlib import closing
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from barograph.app.cli.answers import answer, answer_json, warn
from barograph.app.cli.forms import FormOption, form_in
from barograph.app.cli.observing import LogFormatOption, MetricsPortOption, observed
from barograph.app.cli.options import (
    MOST_MINUTES,
    MOST_SECONDS,
    MOST_SEED,
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    ZoneOption,
    at,
    case_named,
    existing_log,
    names_in,
    no_nan,
    settings_of,
    time_named,
    with_case,
    zone_named,
)
from barograph.app.cli.stopping import stop_requested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.training.card import Card
    from barograph.training.dataset import DatasetManifest
    from barograph.training.due import Due
    from barograph.training.report import TrainingReport
    from barograph.training.walkforward import Training
    from barograph.venues.forms.own import OwnForm

app = typer.Typer()


class _Recordings(NamedTuple):
    """Recordings to build a dataset from, and how to read them."""

    files: "Sequence[Path]" = ()
    products: "Sequence[str]" = ()
    form: "OwnForm | None" = None
    zone: tzinfo = UTC


_NO_RECORDINGS = _Recordings()


@app.command()
def dataset(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings to use instead of the archive, or files of records."),
    ] = None,
    home: HomeOption = None,
    log: LogOption = None,
    case: CaseOption = "spikes",
    products: Annotated[str, typer.Option(help="Only these of recordings, comma-separated.")] = "",
    form: FormOption = None,
    zone: ZoneOption = "UTC",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Of hours: only rows that ended by then.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Build labelled feature rows from the archive or from files.

    FILES are recordings used instead of the archive, without a log. A record case is always
    built from FILES, through its contract; a series from another source than the market's is
    built from its log.
    """
    from barograph.app.terminal import terminal
    from barograph.training import record_dataset

    settings, chosen = settings_of(home), case_named(case)
    until_ns = time_named("--until", until)
    if until_ns is not None and _own_source(chosen) is None:
        raise typer.BadParameter("it is for series whose log is their source", param_hint="--until")
    if chosen.stream is not None:
        with terminal.progress() as progress:
            table = record_dataset.build(
                settings.home, chosen, files or [], progress=progress.records
            )
        answer(table, json, lambda: terminal.record_dataset(table))
        return
    recordings = _Recordings(files or [], names_in(products), form_in(form), zone_named(zone))
    made = _built(settings, log, chosen, recordings, until_ns)
    answer(made, json, lambda: terminal.dataset(made))


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
        str, typer.Option(help="Only these beside the baselines, comma-separated.")
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
    from barograph.training.due import Due
    from barograph.training.walkforward import Training

    settings, names = settings_of(home), names_in(candidates)
    chosen = adapted(case_named(case), quantile=quantile, candidates=names)
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
        _trained_if_due(settings, log, chosen, how)
        if if_due
        else _trained(settings, chosen, how, at_ns, once=once)
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
            "Write a case of that horizon on the same rows (docs/your-own-case.md says how), and "
            "name it with --case package.module:NAME",
        )


def _trained(
    settings: "Settings",
    case: "Case",
    how: "Training",
    at_ns: int | None = None,
    *,
    once: bool = False,
) -> "TrainingReport | Due":
    """Train on the dataset; with `once` the version that was trained on it the same way counts."""
    import time

    from barograph.app.registries import registry_of
    from barograph.app.terminal import terminal
    from barograph.sources import code_hash
    from barograph.training import train
    from barograph.training.dataset import read, refuse_later_rows
    from barograph.training.due import Due
    from barograph.training.trained_alike import trained_alike

    data, code = read(settings.home, case), code_hash()
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


def _warn_of_damage(made: "DatasetManifest") -> None:
    for path, why in made.unreadable.items():
        warn(
            f"{path}: {why}; its content is not in the dataset. Restore it from a copy "
            "(`barograph archive verify` names all damage) and build the dataset again."
        )


def _page(card: "Card") -> str:
    from barograph.app.reports.card_page import (
        page,  # draws with matplotlib, which nobody else waits for
    )

    return page(card)


def _trained_if_due(
    settings: "Settings", log: str | None, case: "Case", how: "Training"
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
            _built(settings, log, case)
        return _trained(settings, case, how)


def _own_source(case: "Case") -> str | None:
    """The source topic of a series that only its log keeps, not the archive."""
    from barograph.log.topics import TICKS

    return None if case.live is None or case.live.source == TICKS else case.live.source


def _built(
    settings: "Settings",
    log: str | None,
    case: "Case",
    recordings: _Recordings = _NO_RECORDINGS,
    until_ns: int | None = None,
) -> "DatasetManifest":
    """Rebuild the dataset of a case that is not of records, from archive, recordings or log."""
    from barograph.app.intake import rules_of
    from barograph.app.terminal import terminal
    from barograph.errors import BadInputError
    from barograph.log import open_log
    from barograph.pipeline.kept_letters import KeptLetters
    from barograph.training import dataset, series_dataset
    from barograph.types import NS_PER_S

    if _own_source(case) is None:
        letters = KeptLetters(lambda: open_log(log or settings.home), settings.partitions)
        with closing(letters), terminal.progress() as progress:
            made = dataset.build(
                settings.home,
                case,
                recordings=recordings.files,
                rules=rules_of(settings, recordings.products),
                form=recordings.form,
                zone=recordings.zone,
                # Those of the archive are in its log already.
                refuse=letters.add if recordings.files else lambda _letter: None,
                progress=progress.events,
            )
        _warn_of_damage(made)
        return made
    if recordings.files:
        raise BadInputError(
            f"case {case.name}", "its dataset is built from its log", "Leave out FILES"
        )
    with existing_log(settings, log) as opened, terminal.progress() as progress:
        until_s = None if until_ns is None else until_ns // NS_PER_S
        return series_dataset.build(
            opened, settings.home, case, until_s=until_s, progress=progress.records
        )


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
    elif (source := _own_source(case)) is not None:
        with existing_log(settings, log) as opened:
            heard_ns = due.newest_record_ns(opened, source)
    else:
        heard_ns = due.newest_frame_ns(settings.home)
    return due.due_now(registry_of(settings), case.name, heard_ns, settings.retrain_every_h)
