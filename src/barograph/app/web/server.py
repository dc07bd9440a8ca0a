"""The web server in a thread of its own: where it listens, how it starts and ends."""

import asyncio
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec
import uvicorn

from barograph.app.settings import Settings
from barograph.app.web.application import application
from barograph.app.web.connection import Connection, WebSocketConnection
from barograph.app.web.limits import DEFAULT_PORT
from barograph.app.web.site import Site
from barograph.cases.case import Case
from barograph.deadline import SERVED, Deadline
from barograph.errors import BadInputError, BarographError

_STARTS_S = 10.0
_STOPS_S = 3.0
_BACKLOG = 1_024
_SEND_BYTES = 128 << 10
_LOOK_S = 0.005
_HANDLES = 12


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at an address. Raises BadInputError, which says so of a taken port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by each connection: what a reader that never reads costs the kernel.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _not_bound(host, port, error) from error
    return listener


def _not_bound(host: str, port: int, error: Exception) -> BadInputError:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return BadInputError(
            f"port {port}", "another program listens there", "Use --port 0 for a free one"
        )
    if code == errno.EACCES:
        return BadInputError(f"port {port}", "this user may not listen there", "Use one over 1023")
    return BadInputError(f"{host}:{port}", f"nothing can listen there ({error})", "Use 127.0.0.1")


def listening_or_free(host: str, port: int | None, warn: Callable[[str], None]) -> socket.socket:
    """A socket at `port`; for None at the default one or, where that is taken, at a free one."""
    if port is not None:
        return listening(host, port)
    try:
        return listening(host, DEFAULT_PORT)
    except BadInputError:
        listener = listening(host, 0)
        at = listener.getsockname()[1]
        warn(f"port {DEFAULT_PORT} is taken by another program; the page is at port {at}")
        return listener


class ServeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a server did: where, for how long, and how many requests it answered.

    `let_go` counts the stream readers that were too slow.
    """

    url: str
    seconds: float
    requests: int
    let_go: int


class WebServer:
    """Serves a site on a listening socket while its `with` block runs.

    cases: the first series is the default. The constructor raises BadInputError for cases that
    cannot be served together.
    """

    def __init__(  # noqa: PLR0913 - what it serves where, and until when
        self,
        settings: Settings,
        address: str | Path,
        cases: Sequence[Case],
        listener: socket.socket,
        warn: Callable[[str], None],
        deadline: Deadline | None = None,
    ) -> None:
        self._listener, self._deadline = listener, deadline or Deadline()
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._site = Site(settings, address, cases, warn)
        # It would print a line for each request that is no HTTP; what fails is said by the site.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        config = uvicorn.Config(
            application(self._site, host),
            http=Connection,
            ws=WebSocketConnection,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            ws_max_size=1 << 16,
            ws_per_message_deflate=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._failure: BarographError | OSError | MemoryError | None = None
        self._started_s = time.monotonic()

    def __enter__(self) -> Self:
        """Start, and wait until requests are answered.

        Raises BadInputError where it cannot, and OSError without handles, which the event loop
        would abort the process for.
        """
        with ExitStack() as spare:
            for _ in range(_HANDLES):
                spare.callback(os.close, os.dup(self._listener.fileno()))
        self._thread.start()
        end_s = time.monotonic() + _STARTS_S
        while not self._server.started:
            self.check()
            if time.monotonic() > end_s:
                why = "the web server does not start"
                raise BadInputError(self.url, why, "Try again, or leave it out (--no-web)")
            time.sleep(_LOOK_S)
        return self

    def __exit__(self, *_: object) -> None:
        """End the streams, answer what is under way, and stop; not beyond the deadline."""
        self._server.should_exit = True
        self._site.stop_streams()
        self._thread.join(self._deadline.left_s(_STOPS_S, SERVED))
        self._listener.close()

    def check(self) -> None:
        """Raise what ended it, or BadInputError where nothing says so."""
        if not self._thread.is_alive():
            if self._failure is not None:
                raise self._failure
            raise BadInputError(self.url, "the web server has ended", "Start it again")

    def summary(self) -> ServeSummary:
        """What it did so far."""
        return ServeSummary(
            url=self.url,
            seconds=round(time.monotonic() - self._started_s, 3),
            requests=self._server.server_state.total_requests,
            let_go=sum(fanout.let_go for fanout in self._site.fanouts.values()),
        )

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
                runner.run(self._serve())
        except (BarographError, OSError, MemoryError) as error:
            self._failure = error

    async def _serve(self) -> None:
        self._site.begin()
        try:
            await self._server.serve([self._listener])
        finally:
            await self._site.end()
