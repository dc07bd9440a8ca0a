"""Verbs of the market pipeline: demo, replay, featurize, candles, score, verify."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.app.cli.answers import answer, answer_json, warn
from barograph.app.cli.forms import FormOption, form_in
from barograph.app.cli.observing import LogFormatOption, MetricsPortOption, observed
from barograph.app.cli.options import (
    MOST_HOURS,
    MOST_SEED,
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    ZoneOption,
    existing_log,
    home_or_temporary,
    names_in,
    no_nan,
    settings_of,
    speed_of,
    worked_on,
    zone_named,
)
from barograph.app.cli.serve import PortOption, page_served
from barograph.app.cli.stopping import stop_requested
from barograph.cases.named import case_named

if TYPE_CHECKING:
    from barograph.app.logs import Events
    from barograph.app.runs.demo import DemoSummary
    from barograph.app.runs.hourly_demo import HourlyDemoSummary
    from barograph.errors import BadInputError
    from barograph.feed.summary import Summary
    from barograph.pipeline.worker import Tally, Until

app = typer.Typer()

FollowOption = Annotated[
    bool, typer.Option("--follow", help="Wait for new records until SIGINT or SIGTERM.")
]


@app.command()
def demo(
    home: HomeOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Headless: print one JSON object and exit; as --json.")
    ] = False,
    case: Annotated[Literal["spikes", "hourly"], typer.Option(help="What to forecast.")] = "spikes",
    hours: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=MOST_HOURS,
            callback=no_nan,
            help="Hours of history to generate; default 12, and 20000 of candles.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Of hourly: take the candles from this CSV or Parquet file instead."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Seed of market and training.")
    ] = 1,
    port: PortOption = None,
    json: JsonOption = False,
) -> None:
    """Show the whole system at work on a simulated exchange.

    Market history is generated in seconds and a model is trained and gated on it; then
    predictions stream into a live view and the live page until Ctrl-C. Of hourly, candles go
    through the quality gate, and the last two weeks come after the training.
    """
    from barograph.app.registries import with_own_registry
    from barograph.app.runs import demo as show

    headless = check or json
    if file is not None and case != "hourly":
        raise typer.BadParameter("only --case hourly takes one", param_hint="--file")
    with home_or_temporary(home) as place:
        settings = with_own_registry(settings_of(place))
        page = nullcontext("") if headless else page_served(settings, settings.home, port)
        how = show.Showing(stop_requested, page, check=headless)
        if case == "hourly":
            from barograph.app.runs import hourly_demo

            of_history = hourly_demo.HOURS if hours is None else int(hours)
            done: DemoSummary | HourlyDemoSummary = hourly_demo.run(
                settings, how, file=file, hours=of_history, seed=seed
            )
        else:
            done = show.run(settings, how, hours=show.HOURS if hours is None else hours, seed=seed)
    if headless:
        answer_json(done)
        raise typer.Exit(0 if done.ok else 1)


@app.command()
def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings, directories of them, an archive, a pipe; - for stdin."),
    ],
    home: HomeOption = None,
    log: LogOption = None,
    speed: Annotated[str, typer.Option(help="max, or a factor of the recorded time.")] = "max",
    zone: ZoneOption = "UTC",
    products: Annotated[
        str, typer.Option(help="Only these, comma-separated; others are refused.")
    ] = "",
    form: FormOption = None,
    no_stages: Annotated[
        bool,
        typer.Option("--no-stages", help="Feed only; run featurize and score separately."),
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Then score again all rows of the log, with the champion."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run recordings through the pipeline as if they were live.

    An interrupted replay resumes where it stopped, as does a file that has grown; a file
    replayed to its end is skipped. With --again the rows that the log has are scored once more,
    with the champion of now; no file is taken twice. A pipe is read to its end:
    zcat FILE | barograph replay -
    """
    from barograph.app import wiring
    from barograph.app.intake import feed_of
    from barograph.app.terminal import terminal
    from barograph.archive.recording_files import recording_files
    from barograph.cases.spikes import SPIKES
    from barograph.errors import BadInputError
    from barograph.feed import replay as recorded
    from barograph.log import open_log
    from barograph.log.retention import PeriodicRetention
    from barograph.pipeline import threads
    from barograph.pipeline.worker import when_idle

    if again and no_stages:
        raise BadInputError("--again", "--no-stages runs no scorer", "Leave one of them out")
    settings = settings_of(home)
    address = log or settings.home
    pace, tzinfo = recorded.Pace(speed_of(speed)), zone_named(zone)
    own_form = form_in(form)
    live = speed != "max"
    files = recording_files(files, tzinfo, own_form)  # before a log is created
    opened = open_log(address)
    frames = None
    try:
        frames = feed_of(settings, opened, names_in(products), warn)
        stages = wiring.stages(settings, address, SPIKES, warn)
        running = threads.Pipeline(stages)
        with PeriodicRetention(lambda: open_log(address), warn), terminal.progress() as progress:

            def take() -> "Summary":
                fed = recorded.replay(
                    frames, files, pace, progress.bytes_and_ticks, tzinfo, warn, own_form
                )
                progress.say("featurizing and scoring")
                return fed

            fed = take() if no_stages else wiring.feed_through(running, take, live=live)
            if again:
                progress.say("scoring again")
                running.scored = stages.score_again(when_idle)
    finally:
        if frames is not None:
            frames.close()
        opened.close()
    if fed.unread and not fed.ticks and not fed.skipped:
        raise _unread(fed)
    fed.remark_letters(settings.max_letter_share)
    done = {"feed": fed, "featurizer": running.featurized, "scorer": running.scored}
    answer(done, json, lambda: terminal.replayed(fed, None if no_stages else running))
    if fed.unread:
        warn(str(_unread(fed)))
        raise typer.Exit(2)


def _unread(fed: "Summary") -> "BadInputError":
    from barograph.archive.recorded_form import cure_of_unread
    from barograph.errors import BadInputError

    (name, why), *others = fed.unread.items()
    more = f", and so with {len(others):,} more" if others else ""
    return BadInputError(name, f"{why}{more}", cure_of_unread(fed.dead_letters))


@app.command()
def featurize(
    case: CaseOption = "spikes",
    home: HomeOption = None,
    log: LogOption = None,
    follow: FollowOption = False,
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    json: JsonOption = False,
) -> None:
    """Compute a case's feature rows from its source records.

    Ends when none are left. For spikes: ticks.raw to ticks.features.
    """
    from barograph.app import wiring
    from barograph.app.terminal import terminal

    settings = settings_of(home)
    address = worked_on(log or settings.home)
    stages = wiring.stages(settings, address, case_named(case), warn, follow=follow)
    with (
        observed(settings, "featurize", metrics_port, log_format) as events,
        _until(follow, events) as until,
    ):
        events.started(settings.home, address, case=case)
        tally = stages.featurize(until)
    answer(tally, json, lambda: terminal.tally(tally, "records", "feature rows"))


@app.command()
def candles(
    home: HomeOption = None,
    log: LogOption = None,
    follow: FollowOption = False,
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    json: JsonOption = False,
) -> None:
    """Make candles of the log's ticks; compare them with a service's.

    An hour that was heard from end to end makes a candle in candles.raw. Where a service has that
    hour, too, both stay, and candles.checks says whether they differ. `barograph up` does the same
    where a case of hours has a champion.
    """
    from barograph.app import wiring
    from barograph.app.runs import hours
    from barograph.app.terminal import terminal

    settings = settings_of(home)
    address = worked_on(log or settings.home)
    stages = wiring.candle_stages(settings, address, warn, patient=follow)
    with (
        observed(settings, "candles", metrics_port, log_format) as events,
        _until(follow, events) as until,
    ):
        events.started(settings.home, address)
        done = hours.made(stages, until, side_by_side=follow)
    answer(
        done,
        json,
        lambda: (
            f"{terminal.tally(done.candles, 'records', 'candles')}\n"
            f"{terminal.tally(done.checks, 'candles', 'hours compared')}"
        ),
    )


@app.command()
def score(
    case: CaseOption = "spikes",
    home: HomeOption = None,
    log: LogOption = None,
    shadow: Annotated[
        bool,
        typer.Option("--shadow", help="Score with the candidate, into the shadow topic."),
    ] = False,
    follow: FollowOption = False,
    start: Annotated[
        Literal["last", "oldest"],
        typer.Option("--from", help="last: behind the last run; oldest: all rows again, once."),
    ] = "last",
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    json: JsonOption = False,
) -> None:
    """Score a case's feature rows until none are left.

    For spikes: ticks.features to ticks.predictions, or ticks.predictions.shadow. With --from
    oldest all rows that the log keeps are scored once more, with the champion of now; the next
    run without it goes on where the last one without it ended.
    """
    from barograph.app import wiring
    from barograph.app.terminal import terminal
    from barograph.errors import BadInputError

    anew = start == "oldest"
    if anew and (shadow or follow):
        raise BadInputError(
            "--from oldest", "it is one run of the champion", "Leave out --follow and --shadow"
        )
    settings = settings_of(home)
    address = worked_on(log or settings.home)
    stages = wiring.stages(settings, address, case_named(case), warn, follow=follow)
    verb = "score --shadow" if shadow else "score"
    with (
        observed(settings, verb, metrics_port, log_format) as events,
        _until(follow, events) as until,
    ):
        events.started(settings.home, address, case=case)
        score_rows = stages.score_again if anew else stages.shadow if shadow else stages.score
        tally = score_rows(until)
    answer(tally, json, lambda: terminal.tally(tally, "feature rows", "predictions"))


@app.command()
def verify(
    archive: Annotated[
        bool, typer.Option("--archive", help="Recompute from the archived frames, not ticks.raw.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Recompute all features and compare them with the live ones.

    They are computed from ticks.raw, or from the archived frames, and compared byte by byte;
    exit code 1 and the first difference if any differ.
    """
    from barograph.app.terminal import terminal
    from barograph.pipeline.verify import verify as compare

    settings = settings_of(home)
    frames = settings.home / "archive" if archive else None
    with existing_log(settings, log) as opened, terminal.progress() as progress:
        verification = compare(opened, archive=frames, progress=progress.rows)
    answer(verification, json, lambda: terminal.verified(verification))
    raise typer.Exit(0 if verification.same else 1)


@contextmanager
def _until(follow: bool, events: "Events") -> Iterator["Until"]:
    """Yield a stage's stop condition: no records left, or a stop signal if `follow`.

    The tally is logged once a minute.
    """
    import msgspec

    from barograph.pipeline.worker import when_idle

    if not follow:
        yield when_idle
        return
    with stop_requested() as stop:

        def until(tally: "Tally", _idle: bool) -> bool:
            events.status(lambda: msgspec.structs.asdict(tally))
            return stop.is_set()

        yield until
