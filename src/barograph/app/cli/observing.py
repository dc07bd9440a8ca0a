"""How a verb that runs for long is observed: its log lines, and the endpoint of its metrics."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.app.cli import answers
from barograph.app.terminal.detail import Detail, chosen

if TYPE_CHECKING:
    from barograph.app.logs import Events
    from barograph.app.settings import Settings

MetricsPortOption = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65_535,
        show_default=False,
        help="Port on 127.0.0.1 of the metrics for Prometheus; 0: none.",
    ),
]
LogFormatOption = Annotated[
    Literal["console", "json"] | None,
    typer.Option("--log-format", show_default=False, help="Log lines for people or machines."),
]


@contextmanager
def observed(
    settings: "Settings",
    verb: str,
    port: int | None,
    form: Literal["console", "json"] | None,
    *,
    on_screen: bool = True,
) -> Iterator["Events"]:
    """Serve the metrics of this process, and log what happens in it on standard error.

    Warnings are log lines too while the context is active. port, form: options that are stronger
    than the settings. on_screen: log lines for people are left out and warnings are printed as
    everywhere, because a person sees what goes on, or the verb is one that is silent while all is
    well. Raises BadInputError where the port cannot be listened on.
    """
    from barograph import __version__, telemetry
    from barograph.app.logs import Events, Journal
    from barograph.app.service_manager import ServiceManager

    form = form or settings.log_format
    port = settings.metrics_port if port is None else port
    journal = None
    if form == "json" or not on_screen:
        journal = Journal(form, sys.stderr, quiet=chosen() is Detail.QUIET)
    telemetry.BUILD.set(1, __version__, verb)
    telemetry.WARNINGS.add(0)
    metrics = f"http://{settings.metrics_host}:{port}/metrics" if port else ""
    with (
        telemetry.served(port, settings.metrics_host) if port else nullcontext(),
        answers.warned_by(journal.warn) if journal is not None else nullcontext(),
    ):
        manager = ServiceManager.from_environment(os.environ)
        try:
            yield Events(verb, journal, metrics=metrics, manager=manager)
        finally:
            if manager is not None:
                manager.stopping()
