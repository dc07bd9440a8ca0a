"""Verbs of record cases: produce, consume, rehearse."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.app.cli.answers import answer, print_records, warn
from barograph.app.cli.observing import LogFormatOption, MetricsPortOption, observed
from barograph.app.cli.options import (
    MOST_BATCH,
    MOST_RATE,
    MOST_SECONDS,
    CaseOption,
    HomeOption,
    JsonOption,
    LogOption,
    home_or_temporary,
    no_nan,
    settings_of,
    worked_on,
)
from barograph.app.cli.stopping import stop_requested
from barograph.cases.named import case_named

if TYPE_CHECKING:
    from threading import Event

    from barograph.pipeline.worker import Tally

app = typer.Typer()


@app.command()
def produce(
    file: Annotated[Path, typer.Argument(help="Records: CSV with a header, or .ndjson.")],
    case: CaseOption,
    mode: Annotated[
        Literal["stream", "batch"],
        typer.Option(help="stream: at --rate; batch: --batch-size at once, as fast as possible."),
    ] = "batch",
    rate: Annotated[
        float, typer.Option(max=MOST_RATE, callback=no_nan, help="Records per second of a stream.")
    ] = 10.0,
    batch_size: Annotated[int, typer.Option(max=MOST_BATCH, help="Records per batch.")] = 100,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the records as JSON lines; send nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Send a file again that was sent to its end.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Send the records of a file to the topic of their case.

    Each record is sent once: the next run resumes one that was stopped or killed, and continues
    a file that has grown behind what was sent of it.
    """
    from barograph.app.terminal import terminal
    from barograph.feed import produce as job
    from barograph.log import browse, file_of, open_log
    from barograph.pipeline.case_topics import ensure_stream

    settings, chosen = settings_of(home), case_named(case)
    if dry_run:
        lines = (browse.as_line(message) for message in job.dry_run(chosen, file))
        print_records(lines, json)
        return
    how = job.Sending(mode=mode, rate=rate, batch_size=batch_size)
    address = log or settings.home
    embedded = file_of(address)
    if embedded is not None and not embedded.exists():
        job.check_file(chosen, file)  # before a log is created
    with closing(open_log(address)) as opened:
        if chosen.stream is not None:
            ensure_stream(opened, chosen.stream, settings.partitions)
        with stop_requested() as stop, terminal.progress() as progress:
            done = job.produce(
                opened,
                chosen,
                file,
                how,
                wait=stop.wait,
                stop=stop.is_set,
                progress=progress.sent,
                again=again,
            )
    answer(done, json, lambda: terminal.produced(done))


@app.command()
def consume(
    case: CaseOption,
    mode: Annotated[
        Literal["stream", "batch"],
        typer.Option(help="stream: until stopped; batch: until no records are left."),
    ] = "batch",
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_BATCH,
            help="Most records per commit; default batch_records of the settings.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, max=MOST_SECONDS, callback=no_nan, help="Stop after so many seconds."),
    ] = None,
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Score the records of a case with its champion."""
    import msgspec

    from barograph.app import wiring
    from barograph.app.terminal import terminal
    from barograph.log import open_log
    from barograph.log.retention import PeriodicRetention

    settings, chosen = settings_of(home), case_named(case)
    address, follow = log or settings.home, mode == "stream"
    if not follow:
        worked_on(address)
    with (
        stop_requested() as stop,
        observed(settings, "consume", metrics_port, log_format) as events,
        terminal.progress() as progress,
        PeriodicRetention(lambda: open_log(address), warn),
    ):
        events.started(settings.home, address, case=case)
        watch = _Watch(stop, follow=follow, seconds=seconds, say=progress.records)

        def until(tally: "Tally", idle: bool) -> bool:
            events.status(lambda: msgspec.structs.asdict(tally))
            return watch.until(tally, idle)

        tally = wiring.consume(
            settings, address, chosen, warn, until, batch_size or settings.batch_records
        )
    done = wiring.Consumed(
        **msgspec.structs.asdict(tally), seconds=watch.seconds(), records_per_s=watch.rate(tally)
    )
    answer(done, json, lambda: terminal.consumed(done))


@app.command()
def rehearse(
    case: CaseOption,
    file: Annotated[
        Path | None,
        typer.Argument(help="Records: CSV with a header, or .ndjson; churn can generate them."),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            max=MOST_SECONDS,
            callback=no_nan,
            help="Rough duration; half of it is the stream.",
        ),
    ] = 60.0,
    rate: Annotated[
        float,
        typer.Option(max=MOST_RATE, callback=no_nan, help="Records per second of the stream."),
    ] = 50.0,
    reports: Annotated[
        Path, typer.Option(help="Directory for <case>/index.html and summary.json.")
    ] = Path("reports"),
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Run a case from file to prediction; account for every record.

    A model is trained and gated, then producer and consumer run as in production, in both modes,
    with bad records among good ones. Exit code 1 if a record was lost or invented.
    """
    from barograph.app.registries import with_own_registry
    from barograph.app.runs import rehearsal
    from barograph.app.terminal import terminal

    plan = rehearsal.RehearsalPlan(
        case=case_named(case),
        named=case,
        file=file,
        log=log,
        seconds=seconds,
        rate=rate,
        keeps_home=home is not None,
    )
    with home_or_temporary(home) as place:
        done = rehearsal.rehearse(with_own_registry(settings_of(place)), plan, reports)
    answer(done, json, lambda: terminal.rehearsed(done, reports))
    raise typer.Exit(0 if done.ok else 1)


class _Watch:
    """A consumer's stop condition, called after each commit, which also measures its rate."""

    def __init__(
        self, stop: "Event", *, follow: bool, seconds: float | None, say: Callable[[int], None]
    ) -> None:
        self._stop, self._follow, self._say = stop, follow, say
        self._start_s = self._before_s = time.monotonic()
        self._end_s = float("inf") if seconds is None else self._start_s + seconds
        self._records = 0
        self._worked_s = 0.0

    def until(self, tally: "Tally", idle: bool) -> bool:
        """Whether to stop: on a signal, after the time limit, or when idle without `follow`."""
        now_s = time.monotonic()
        if tally.records > self._records:  # idle time does not count as work
            self._worked_s += now_s - self._before_s
            self._records = tally.records
            self._say(tally.records)
        self._before_s = now_s
        return self._stop.is_set() or now_s >= self._end_s or (idle and not self._follow)

    def seconds(self) -> float:
        """Seconds since the start, rounded to milliseconds."""
        return round(time.monotonic() - self._start_s, 3)

    def rate(self, tally: "Tally") -> float:
        """Records per second of the time in which records arrived."""
        return round(tally.records / self._worked_s, 1) if self._worked_s else 0.0
