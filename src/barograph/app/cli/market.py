"""Verbs of the market pipeline: demo, replay, featurize, score, verify."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, as_json, say, warn
from barograph.app.cli.options import (
    MOST_HOURS,
    MOST_SEED,
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    case_named,
    existing_log,
    home_or_temporary,
    names_in,
    no_nan,
    settings_of,
    speed_of,
    worked_on,
    zone_named,
)
from barograph.app.cli.stopping import stop_requested

if TYPE_CHECKING:
    from barograph.feed.summary import Summary
    from barograph.pipeline.worker import Until

app = typer.Typer()

FollowOption = Annotated[
    bool, typer.Option("--follow", help="Go on with what comes, until SIGINT or SIGTERM.")
]


@app.command()
def demo(
    home: HomeOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Headless: print one JSON summary and leave.")
    ] = False,
    hours: Annotated[
        float,
        typer.Option(
            min=1.0, max=MOST_HOURS, callback=no_nan, help="Hours of market history to make."
        ),
    ] = 12.0,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of market and training.")] = 1,
) -> None:
    """The whole at work on a simulated exchange, then live.

    Market history is made in seconds, a model trained and gated on it; then predictions stream
    into a live view until Ctrl-C.
    """
    from barograph.app.runs import demo as show

    with home_or_temporary(home) as place:
        done = show.run(settings_of(place), stop_requested, hours=hours, seed=seed, check=check)
    if check:
        say(as_json(done).encode())
        raise typer.Exit(0 if done.ok else 1)


@app.command()
def replay(
    files: Annotated[
        list[Path], typer.Argument(help="Recordings, .ndjson or .ndjson.gz; or a pipe.")
    ],
    home: HomeOption = None,
    log: LogOption = None,
    speed: Annotated[str, typer.Option(help="max, or a factor of the recorded time.")] = "max",
    zone: Annotated[str, typer.Option(help="Of recorded times that name none.")] = "UTC",
    products: Annotated[str, typer.Option(help="Comma-separated; others are refused.")] = "",
    no_stages: Annotated[
        bool,
        typer.Option("--no-stages", help="Feed only: featurize and score run by themselves."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Recordings through the pipeline, as if live.

    An interrupted replay goes on where it stopped, and so does a file that has grown; one replayed
    before is skipped. A pipe is read to its end: zcat FILE | barograph replay /dev/stdin.
    """
    from barograph.app import wiring
    from barograph.app.intake import feed_of
    from barograph.app.terminal import terminal
    from barograph.archive.recording import check_recordings
    from barograph.cases.spikes import SPIKES
    from barograph.feed import replay as recorded
    from barograph.log import open_log
    from barograph.log.retention import PeriodicRetention
    from barograph.pipeline import threads

    settings = settings_of(home)
    address = log or settings.home
    pace, tzinfo = recorded.Pace(speed_of(speed)), zone_named(zone)
    live = speed != "max"
    check_recordings(files)  # no log is made for a file that is refused
    opened = open_log(address)
    frames = None
    try:
        frames = feed_of(settings, opened, names_in(products), warn)
        running = threads.Pipeline(wiring.stages(settings, address, SPIKES, warn))
        with PeriodicRetention(lambda: open_log(address), warn), terminal.progress() as progress:

            def take() -> "Summary":
                fed = recorded.replay(frames, files, pace, progress.bytes_and_ticks, tzinfo, warn)
                progress.say("featurizing and scoring")
                return fed

            fed = take() if no_stages else wiring.feed_through(running, take, live=live)
    finally:
        if frames is not None:
            frames.close()
        opened.close()
    done = {"feed": fed, "featurizer": running.featurized, "scorer": running.scored}
    answer(done, json, lambda: terminal.replayed(fed, None if no_stages else running))


@app.command()
def featurize(
    case: CaseOption = "spikes",
    home: HomeOption = None,
    log: LogOption = None,
    follow: FollowOption = False,
    json: JsonOption = False,
) -> None:
    """The records of a case's source into its feature rows, until all is done.

    Of the spikes: ticks.raw into ticks.features.
    """
    from barograph.app import wiring
    from barograph.app.terminal import terminal

    settings = settings_of(home)
    address = worked_on(log or settings.home)
    stages = wiring.stages(settings, address, case_named(case), warn, follow=follow)
    with _until(follow) as until:
        tally = stages.featurize(until)
    answer(tally, json, lambda: terminal.tally(tally, "records", "feature rows"))


@app.command()
def score(
    case: CaseOption = "spikes",
    home: HomeOption = None,
    log: LogOption = None,
    shadow: Annotated[
        bool,
        typer.Option("--shadow", help="With the candidate, into a topic of its own."),
    ] = False,
    follow: FollowOption = False,
    json: JsonOption = False,
) -> None:
    """The feature rows of a case into predictions, likewise.

    Of the spikes: ticks.features into ticks.predictions, or ticks.predictions.shadow.
    """
    from barograph.app import wiring
    from barograph.app.terminal import terminal

    settings = settings_of(home)
    address = worked_on(log or settings.home)
    stages = wiring.stages(settings, address, case_named(case), warn, follow=follow)
    with _until(follow) as until:
        tally = stages.shadow(until) if shadow else stages.score(until)
    answer(tally, json, lambda: terminal.tally(tally, "feature rows", "predictions"))


@app.command()
def verify(
    archive: Annotated[
        bool, typer.Option("--archive", help="Against the frames in the archive, not ticks.raw.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Live features against a replay of the log, or of the archive.

    All features are computed again from ticks.raw, or from the venue's frames, and compared with
    those written, byte by byte; exit code 1 and the first difference otherwise.
    """
    from barograph.app.terminal import terminal
    from barograph.pipeline.verify import verify as compare

    settings = settings_of(home)
    frames = settings.home / "archive" if archive else None
    with existing_log(settings, log) as opened, terminal.progress() as progress:
        found = compare(opened, archive=frames, progress=progress.rows)
    answer(found, json, lambda: terminal.verified(found))
    raise typer.Exit(0 if found.same else 1)


@contextmanager
def _until(follow: bool) -> Iterator["Until"]:
    """When a stage ends: when all is done, or, following, when it is told to."""
    from barograph.pipeline.worker import when_idle

    if not follow:
        yield when_idle
        return
    with stop_requested() as stop:
        yield lambda _tally, _idle: stop.is_set()
