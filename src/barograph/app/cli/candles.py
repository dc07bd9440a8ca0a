"""The verbs of candles: extract, quality."""

import os
import re
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.app.cli.answers import answer, as_json, print_lines, show, warn
from barograph.app.cli.options import (
    MOST_HOURS,
    HomeOption,
    JsonOption,
    LogOption,
    settings_of,
    time_named,
)
from barograph.app.cli.stopping import stop_requested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barograph.app.runs.extracting import ServicePlan
    from barograph.app.settings import Settings
    from barograph.feed.extracted import Extracted

app = typer.Typer()

_is_product = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{1,20}").fullmatch


def _named(product: str) -> str:
    if not _is_product(product):
        raise typer.BadParameter("it is not of the form BTC-USD")
    return product


ProductOption = Annotated[
    str, typer.Option("--product", help="Product as BASE-QUOTE.", callback=_named)
]


@app.command()
def extract(
    case: Annotated[
        Literal["hourly"], typer.Option(help="Case that the candles are for.")
    ] = "hourly",
    hours: Annotated[
        int, typer.Option(min=1, max=MOST_HOURS, help="Hours before the last that is finished.")
    ] = 2000,
    product: ProductOption = "BTC-USD",
    source: Annotated[
        Literal["coinbase", "cryptocompare"],
        typer.Option(help="Service; cryptocompare takes a key, CRYPTOCOMPARE_API_KEY."),
    ] = "coinbase",
    url: Annotated[
        str, typer.Option(help="Address of the service instead of its own, http://host:port.")
    ] = "",
    file: Annotated[
        list[Path] | None,
        typer.Option(help="Take candles from this CSV or Parquet file instead; repeatable."),
    ] = None,
    until: Annotated[
        str, typer.Option(metavar="TIME", help="End of the last hour; default the last finished.")
    ] = "",
    recheck: Annotated[
        int, typer.Option(min=0, max=MOST_HOURS, help="Ask again for so many of the last hours.")
    ] = 0,
    hold: Annotated[
        bool,
        typer.Option("--hold", help="Keep the answers only; a run without it judges and writes."),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Ask after the end of each hour, until Ctrl-C.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Bring the hourly candles of a market into the log.

    They come from a service or from files. Hours that are there are not asked for again, answers
    are kept as they came, and what the quality gate stops is not written: exit code 1. A stopped
    or killed run goes on where it was. With --follow the answer is one for each hour, and with
    --json a line of JSON each.
    """
    from barograph.app.runs import extracting
    from barograph.app.terminal import terminal
    from barograph.log import open_log

    del case
    if follow and (file or until or hold):
        raise typer.BadParameter(
            "it goes with neither --file, --until nor --hold", param_hint="--follow"
        )
    settings, now_ns = settings_of(home), time.time_ns()
    policy = extracting.policy_of(settings)
    address = log or settings.home
    if file:
        until_s = _cut_s(until, now_ns)
        files = [extracting.judged_file(each, product, policy, now_ns, until_s) for each in file]
        for each in () if hold else files:
            extracting.write_report(settings.home, each.judged, each.table)
        if hold:
            done = extracting.held_files(files, product)
        elif all(each.judged.report.passed for each in files):
            with closing(open_log(address)) as opened:
                done = extracting.from_files(opened, settings, files, product)
        else:
            done = extracting.refused_files(files, product)
    else:
        plan = extracting.ServicePlan(
            source=source,
            product=product,
            hours=hours,
            until_s=_until_s(until, now_ns),
            url=url,
            key=extracting.key_of(os.environ, source, url),
            recheck_hours=recheck,
            hold=hold,
        )
        if follow:
            raise typer.Exit(0 if _followed(settings, address, plan, json) else 1)
        with (
            closing(open_log(address)) as opened,
            stop_requested() as stop,
            terminal.progress() as progress,
        ):
            done = [
                extracting.from_service(
                    opened,
                    settings,
                    plan,
                    wait=stop.wait,
                    stop=stop.is_set,
                    progress=progress.hours,
                )
            ]
    answer({"extracts": done}, json, lambda: _lines(settings, done))
    raise typer.Exit(0 if all(each.passed for each in done) else 1)


def _lines(settings: "Settings", done: "Sequence[Extracted]") -> str:
    """What each extract did, with the page of its report."""
    from barograph.app.runs import extracting
    from barograph.app.terminal import quality_lines

    pages = [
        str(extracting.report_paths(settings.home, each.report)[0]) if each.report else ""
        for each in done
    ]
    shown = zip(done, pages, strict=True)
    return "\n\n".join(quality_lines.extracted(each, page) for each, page in shown)


def _followed(settings: "Settings", address: str | Path, plan: "ServicePlan", json: bool) -> bool:
    """Extract after each hour until stopped; whether the gate let the last one pass."""
    import msgspec

    from barograph.app.runs import extract_schedule, extracting
    from barograph.log import open_log

    def done(extracted: "Extracted") -> None:
        if json:
            print_lines([as_json({"extracts": [extracted]}).encode()])
        else:
            show(_lines(settings, [extracted]))

    with stop_requested() as stop:

        def extract_until(until_s: int) -> "Extracted":
            now = msgspec.structs.replace(plan, until_s=until_s)
            with closing(open_log(address)) as log:
                return extracting.from_service(log, settings, now, wait=stop.wait, stop=stop.is_set)

        last = extract_schedule.follow(
            extract_until, done=done, warn=warn, wait=stop.wait, stop=stop.is_set
        )
    return last is None or last.passed


@app.command()
def quality(
    file: Annotated[Path, typer.Argument(help="Candles: CSV or Parquet, packed or not.")],
    product: ProductOption = "BTC-USD",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Judge the hours up to this end, as at that time.")
    ] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Judge a file of candles by the rules of the quality gate.

    A report with pictures is written to reports/quality of the home, as a page and as JSON. Exit
    code 1 if the gate would stop the file; nothing else is written.
    """
    from barograph.app.runs import extracting
    from barograph.app.terminal import quality_lines

    settings, now_ns = settings_of(home), time.time_ns()
    policy = extracting.policy_of(settings)
    until_s = _cut_s(until, now_ns)
    judged = extracting.judged_file(file, product, policy, now_ns, until_s)
    done = extracting.write_report(settings.home, judged.judged, judged.table)
    answer(done, json, lambda: quality_lines.quality(done.report, done.page))
    raise typer.Exit(0 if done.report.passed else 1)


def _cut_s(text: str, now_ns: int) -> int | None:
    """The end of the last hour to take of a file; None takes all."""
    return _until_s(text, now_ns) if text else None


def _until_s(text: str, now_ns: int) -> int:
    """The end of the last hour in Unix seconds. Raises BadInputError for one that is to come."""
    from barograph.candle_records import HOUR_S
    from barograph.errors import BadInputError
    from barograph.feed.candles import last_end_s
    from barograph.types import NS_PER_S

    until_ns = time_named("--until", text)
    if until_ns is None:
        return last_end_s(now_ns)
    cure = "Give the end of an hour, as 2026-01-31T00:00:00Z"
    if until_ns % (HOUR_S * NS_PER_S):
        raise BadInputError(f"--until {text}", "no hour ends then", cure)
    if until_ns // NS_PER_S > last_end_s(now_ns):
        raise BadInputError(f"--until {text}", "that hour has not ended", cure)
    return until_ns // NS_PER_S
