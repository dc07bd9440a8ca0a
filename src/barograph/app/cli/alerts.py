"""Verbs on alerts: alerts list, test, run."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, print_lines, show, warn
from barograph.app.cli.options import (
    MOST_MINUTES,
    MOST_RECORDS,
    HomeOption,
    JsonOption,
    LogOption,
    case_named,
    existing_log,
    no_nan,
    settings_of,
    worked_on,
)
from barograph.app.cli.stopping import stop_requested

if TYPE_CHECKING:
    from barograph.app.alerting.sink import Sink
    from barograph.app.settings import Settings

app = typer.Typer(help="List, test and send alerts.", no_args_is_help=True, rich_markup_mode=None)

OnAlertOption = Annotated[
    list[str] | None,
    typer.Option(
        "--on-alert",
        metavar="CMD",
        help="Command to run for each message of an alert, in words, without a shell.",
    ),
]
WebhookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook", metavar="URL", help="Address to post each message to, as signed JSON."
    ),
]


def bells(settings: "Settings") -> "list[Sink]":
    """The bell of the terminal that standard output is, if it is one and is to be rung."""
    if not settings.alert_bell or not sys.stdout.isatty():
        return []
    from barograph.app.alerting.sink import Bell
    from barograph.app.terminal import terminal

    return [Bell(terminal.Screen().bell)]


@app.command("list")
def alerts_list(
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_RECORDS, help="How many of the newest alerts to list.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print each change from now on, until Ctrl-C.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """List the newest alerts of the log as they stand.

    With --follow print each change of an alert from now on, with --json as a line of JSON each.
    """
    from barograph.app.alerting.following import changes
    from barograph.app.terminal import alert_tables
    from barograph.pipeline import alert_list

    with existing_log(settings_of(home), log) as opened:
        if not follow:
            found = alert_list.listed(opened, limit)
            answer(found, json, lambda: alert_tables.alerts(found, time.time_ns()))
            return
        with stop_requested() as stop:
            for alert in changes(opened, stop):
                if json:
                    print_lines([alert_tables.line_of_json(alert)])
                else:
                    show(alert_tables.change(alert))


@app.command("test")
def alerts_test(
    on_alert: OnAlertOption = None,
    webhook: WebhookOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Send a marked test message through every sink.

    Sinks are the addresses in BAROGRAPH_ALERT_URLS and BAROGRAPH_WEBHOOK_URLS, and those of the
    options. Exit code 1 where one of them did not take it.
    """
    from barograph.app.alerting.senders import Trials, sinks_of, trial
    from barograph.app.terminal import alert_tables
    from barograph.errors import BadInputError

    settings = settings_of(home)
    sinks = sinks_of(commands=on_alert or [], webhooks=webhook or [])
    if not sinks:
        raise BadInputError(
            "alerts",
            "no sink is configured",
            "Set BAROGRAPH_ALERT_URLS or BAROGRAPH_WEBHOOK_URLS, or give --webhook or --on-alert",
        )
    trials = Trials(sinks=[trial(sink, time.time_ns(), settings.page_url) for sink in sinks])
    answer(trials, json, lambda: alert_tables.trials(trials))
    if failed := [each.sink for each in trials.sinks if not each.delivered]:
        warn(f"not delivered: {', '.join(failed)}")
        raise typer.Exit(1)


@app.command("run")
def alerts_run(
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="A series case to watch; repeat it. Default spikes."),
    ] = None,
    on_alert: OnAlertOption = None,
    webhook: WebhookOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=MOST_MINUTES, callback=no_nan, help="Minutes to run; default until Ctrl-C."
        ),
    ] = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Watch the log of other processes and send its alerts until Ctrl-C.

    Measures its health, makes alerts of it and of the predictions, and sends them. `barograph up`
    does the same in its own process.
    """
    from barograph.app.alerting.senders import sinks_of
    from barograph.app.alerting.watching import run
    from barograph.app.terminal import alert_tables

    settings = settings_of(home)
    cases = [case_named(name) for name in case or ["spikes"]]
    sinks = sinks_of(commands=on_alert or [], webhooks=webhook or [])
    address = worked_on(log or settings.home)
    with stop_requested() as stop:
        seconds = None if minutes is None else minutes * 60
        done = run(settings, address, cases, sinks, stop, warn, seconds=seconds)
    answer(done, json, lambda: alert_tables.sent(done))
