"""The verb that serves the API and the page over a log that other processes write: serve."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.observing import LogFormatOption, observed
from barograph.app.cli.options import (
    MOST_MINUTES,
    HomeOption,
    JsonOption,
    LogOption,
    existing,
    no_nan,
    settings_of,
)
from barograph.app.cli.stopping import stop_requested
from barograph.cases.named import CASES, case_named

if TYPE_CHECKING:
    from barograph.app.settings import Settings
    from barograph.cases.case import Case
    from barograph.deadline import Deadline

app = typer.Typer()

_LOOK_S = 0.25

PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        help="Port of API and page; 0 picks a free one. Default 8000, or a free one.",
        show_default=False,
    ),
]


def cases_served(named: list[str]) -> list["Case"]:
    """The built-in cases, then those named; each once. Raises BadInputError."""
    names = dict.fromkeys([*CASES, *named])
    return [case_named(name) for name in names]


@contextmanager
def page_served(
    settings: "Settings",
    address: Path | str,
    port: int | None,
    deadline: "Deadline | None" = None,
    *,
    quiet: bool = False,
) -> Iterator[str]:
    """Serve the built-in cases over a log beside what writes it; yields the page's address.

    Prints the address unless `quiet`. deadline: by when it has ended. Raises BadInputError for a
    port that cannot be had.
    """
    from barograph.app.web.server import WebServer, listening_or_free

    listener = listening_or_free("127.0.0.1", port, warn)
    with WebServer(settings, address, cases_served([]), listener, warn, deadline) as server:
        if not quiet:
            warn(f"the page is at {server.url}")
        yield server.url


@app.command()
def serve(
    port: PortOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="A case of your own as package.module:NAME; repeatable."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=MOST_MINUTES,
            callback=no_nan,
            help="Minutes to run; default until Ctrl-C.",
        ),
    ] = None,
    log_format: LogFormatOption = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Serve API and live page over the log of other processes.

    It reads the log and the registry; promoting a model needs the token of BAROGRAPH_TOKEN.
    """
    import msgspec

    from barograph.app.prompt_threads import prompt_threads
    from barograph.app.web.server import WebServer, listening_or_free

    settings = settings_of(home)
    address = existing(log or settings.home)
    served = cases_served(case or [])
    listener = listening_or_free(host, port, warn)
    ends_s = None if minutes is None else time.monotonic() + 60 * minutes
    with (
        stop_requested() as stop,
        observed(settings, "serve", 0, log_format) as events,
        prompt_threads(),
        WebServer(settings, address, served, listener, warn) as server,
    ):
        if not events.logged:  # the start says it too
            warn(f"serving at {server.url}")
        events.started(settings.home, address, page=server.url)
        while not stop.wait(_LOOK_S) and (ends_s is None or time.monotonic() < ends_s):
            server.check()
            events.status(lambda: msgspec.structs.asdict(server.summary()))
    done = server.summary()
    answer(done, json, lambda: f"{done.requests:,} requests answered in {done.seconds:,.0f} s")
