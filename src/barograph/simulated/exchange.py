"""The simulated exchange as a server: Coinbase's two feeds and its trades endpoint, with faults.

    ws://ADDRESS/exchange                           the Exchange feed
    ws://ADDRESS/advanced                           Advanced Trade
    GET http://ADDRESS/products/{id}/trades         trades, newest first: `limit`, `after`
    GET http://ADDRESS/products                     products, also as Advanced Trade lists them
    GET http://ADDRESS/products/{id}/candles        hours, as Coinbase Exchange has them
    GET http://ADDRESS/data/v2/histohour            hours, as CryptoCompare has them
    GET http://ADDRESS/ledger                       generated and sent data, and applied faults

One task advances the market and writes to every connection; each connection has a reading task.
Decisions are made in the machines `session`, `faults` and `voices`; `ledger` records what happened.
"""

import asyncio
import errno
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Self, cast
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from barograph.errors import BadInputError
from barograph.simulated.fault_script import ScriptedFault
from barograph.simulated.faults import Action, Close, ExchangeFaults, Freeze, Send
from barograph.simulated.ledger import Ledger, LineAccount
from barograph.simulated.pages import Asked, CandleTerms, PageAnswer, Pages
from barograph.simulated.session import Session
from barograph.simulated.sources import Source
from barograph.simulated.tape import Print
from barograph.simulated.trades_endpoint import error_json
from barograph.types import NS_PER_S
from barograph.venues.entries import Dialect
from barograph.wire import BoundedServer, stop_accepting

PATHS: Mapping[str, Dialect] = {"/exchange": Dialect.EXCHANGE, "/advanced": Dialect.ADVANCED}

KEPT_TRADES = 100_000
"""Trades kept per product in an endless market; readers only request recent ones."""

_STEP_S = 0.005
_SUBSCRIBING_S = 0.5
_LONGEST_STEP_NS = 10 * NS_PER_S  # market time per step; a larger lag is dropped
_FREE_STEP_NS = NS_PER_S // 10  # market time per step if readers set the pace
QUEUE_BYTES = 4 << 20
"""Default limit of bytes queued for a reader."""

MAX_MESSAGE_BYTES = 1 << 16
"""Longest message accepted from a reader."""

MAX_CONNECTIONS = 1000
"""Most concurrent connections; further ones get a 503. A process has about 1,000 file handles."""

# websockets would log every aborted handshake.
_quiet = logging.getLogger("barograph.simulated.exchange")
_quiet.setLevel(logging.CRITICAL)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How an exchange treats its readers; the defaults follow Coinbase as far as known.

    `limit_s`: market seconds after which the market ends. `wait_for_reader`: the market waits until
    all products are subscribed, or half a second after the first subscription. `present`: market
    time is this machine's clock, and a backlog is sent as fast as possible. `window_s`: Advanced
    Trade batches trades within it into one frame. `queue_bytes`: a reader with more queued bytes is
    disconnected.
    `rest_per_s`: allowed REST requests per second, with bursts of half as many more. `keep_trades`,
    `keep_frames`: see `Ledger`. `candles`: how hours are served.
    """

    limit_s: float | None = None
    wait_for_reader: bool = False
    present: bool = False
    window_s: float = 0.0
    subscribe_within_s: float = 5.0
    queue_bytes: int = QUEUE_BYTES
    rest_per_s: float = 10.0
    keep_trades: int | None = None
    keep_frames: bool = False
    candles: CandleTerms = CandleTerms()


class _Line:
    """A connection: socket, session and account."""

    def __init__(self, socket: ServerConnection, session: Session, account: LineAccount) -> None:
        self.socket, self.session, self.account = socket, session, account
        self.mute = False  # frozen or closing: nothing is sent or received

    @property
    def hears(self) -> bool:
        """Whether it receives market data."""
        open_ = self.socket.protocol.state is State.OPEN
        return open_ and bool(self.session.subscribed) and not self.mute

    @property
    def waiting_bytes(self) -> int:
        return self.socket.transport.get_write_buffer_size()


class Exchange:
    """A server for one market; an async context manager that runs on the entering event loop.

    speed: market seconds per second; None runs as fast as clients read. A market in the past
    continues from its own time. Raises BadInputError for a speed of 0 or less, and if it cannot
    listen.
    `address` is "host:port" once entered; `ended` tells whether the market has ended.
    """

    def __init__(  # noqa: PLR0913 - the market, address, speed and terms
        self,
        source: Source,
        faults: Sequence[ScriptedFault] = (),
        *,
        speed: float | None = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        terms: Terms | None = None,
    ) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise BadInputError(f"speed {speed}", "it is not above 0", "Give a factor, or max")
        self._source, self._script, self._speed = source, tuple(faults), speed
        self._host, self._port = host, port
        self._terms = terms or Terms()
        self._faults = ExchangeFaults(self._script, source.start_ns)
        self.ledger = Ledger(
            source.products,
            self._script,
            start_ns=source.start_ns,
            keep_trades=self._terms.keep_trades,
            keep_frames=self._terms.keep_frames,
        )
        self.address = ""
        self.ended = False
        self._now_ns = source.start_ns
        self._last: dict[str, Print] = {}
        self._lines: list[_Line] = []
        self._closing: set[asyncio.Task[None]] = set()
        terms = self._terms
        self.pages = Pages(
            self.ledger, self._faults, source.products, terms.rest_per_s, terms.candles
        )

    async def __aenter__(self) -> Self:
        self._server = await self._listen()
        self._reader_came = asyncio.Event()
        self._market = asyncio.create_task(self._trade())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._market.cancel()
        await stop_accepting(self._server)
        for line in self._lines:
            if line.mute or line.waiting_bytes:
                line.socket.transport.abort()  # it would not receive a closing handshake
        self._server.close()
        await self._server.wait_closed()
        # An interrupted closing handshake would leave its socket open.
        await asyncio.gather(*self._closing, return_exceptions=True)
        with suppress(asyncio.CancelledError):
            await self._market

    def check(self) -> None:
        """Re-raise the error that ended the market, if any."""
        if self._market.done() and not self._market.cancelled():
            self._market.result()

    async def _listen(self) -> Server:
        try:
            server = await serve(
                self._attend,
                self._host,
                self._port,
                process_request=self._answer,
                compression=None,
                ping_interval=None,  # keep half-open connections; a dead one fills its queue
                close_timeout=1.0,
                max_size=MAX_MESSAGE_BYTES,
                create_connection=BoundedServer,
                write_limit=self._terms.queue_bytes // 4,
                logger=_quiet,
            )
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else error.strerror or str(error)
            raise BadInputError(
                f"{self._host}:{self._port}", why, "Name another port, or 0 for a free one"
            ) from None
        host, port = server.sockets[0].getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return server

    # The market.

    async def _trade(self) -> None:
        if self._terms.wait_for_reader or self._speed is None:
            await self._reader_came.wait()
        if self._terms.wait_for_reader:
            await self._all_subscribed()
        limit_s = self._terms.limit_s
        end_ns = None if limit_s is None else self._source.start_ns + int(limit_s * NS_PER_S)
        clock = asyncio.get_running_loop().time
        begun_s, begun_ns = clock(), self._now_ns
        while not self.ended:
            if self._speed is None:
                await self._room()
                until_ns = self._now_ns + _FREE_STEP_NS
            elif self._terms.present:
                await asyncio.sleep(_STEP_S)
                until_ns = max(time.time_ns(), self._now_ns)
                until_ns = min(until_ns, self._now_ns + _LONGEST_STEP_NS)
            else:
                await asyncio.sleep(_STEP_S)
                until_ns = begun_ns + int((clock() - begun_s) * self._speed * NS_PER_S)
                if until_ns - self._now_ns > _LONGEST_STEP_NS:
                    until_ns = self._now_ns + _LONGEST_STEP_NS
                    begun_s, begun_ns = clock(), until_ns
            self._advance(until_ns if end_ns is None else min(until_ns, end_ns))
            self.ended = self._source.ended or self._now_ns == end_ns

    async def _all_subscribed(self) -> None:
        """Wait up to half a second for subscriptions to all products."""
        clock = asyncio.get_running_loop().time
        ends_s, wanted = clock() + _SUBSCRIBING_S, set(self._source.products)
        while clock() < ends_s:
            held = [names for line in self._lines for names in line.session.subscribed.values()]
            if wanted <= {name for names in held for name in names}:
                return
            await asyncio.sleep(_STEP_S)

    async def _room(self) -> None:
        """Wait until there is a reader, and every reader has read most of its queue."""
        await asyncio.sleep(0)
        while not (hearing := [line for line in self._lines if line.hears]):
            self._reader_came.clear()
            await self._reader_came.wait()
        for line in hearing:
            with suppress(OSError):  # it left meanwhile
                await line.socket.drain()

    def _advance(self, until_ns: int) -> None:
        events, halted = self._faults.take(self._source.until(until_ns))
        self._now_ns = until_ns
        self.ledger.made(events, until_ns)
        self.ledger.did(*halted)
        self.pages.take(events)
        for event in events:
            if type(event) is Print:
                self._last[event.product] = event
        for line in list(self._lines):
            self._do(line, line.session.advance(events, until_ns))

    # Connections.

    async def _attend(self, socket: ServerConnection) -> None:
        path = urlsplit(socket.request.path if socket.request else "").path
        dialect = PATHS[path]
        account = self.ledger.opened(len(self.ledger.connections) + 1, dialect)
        refused = self._faults.refuses(self._now_ns)
        if refused is not None:
            self.ledger.did(refused)
            self.ledger.closed(account)
            return  # returning closes the connection
        session = Session(
            dialect,
            self._source.products,
            self._script,
            number=account.number,
            start_ns=self._source.start_ns,
            opened_ns=self._now_ns,
            window_ns=int(self._terms.window_s * NS_PER_S),
        )
        line = _Line(socket, session, account)
        self._lines.append(line)
        # Market data up to the queue limit may be unread before pongs count against the reader.
        cast("BoundedServer", socket).unread_bytes = self._terms.queue_bytes
        try:
            await self._hear(line)
        except ConnectionClosed:
            pass
        finally:
            self._lines.remove(line)
            self.ledger.note(account, session.end())
            self.ledger.closed(account)

    async def _hear(self, line: _Line) -> None:
        try:
            async with asyncio.timeout(self._terms.subscribe_within_s):
                while not line.session.subscribed:
                    self._take(line, await line.socket.recv(decode=False))
        except TimeoutError:
            await line.socket.close(1008, "no subscription")
            return
        while True:
            self._take(line, await line.socket.recv(decode=False))

    def _take(self, line: _Line, message: bytes) -> None:
        if line.mute:
            return
        actions = line.session.receive(message, self._now_ns, self._last)
        self.ledger.subscribed(line.account, line.session.subscribed)
        self._do(line, actions)
        if line.session.subscribed:
            self._reader_came.set()

    def _do(self, line: _Line, actions: Sequence[Action]) -> None:
        if not actions or line.socket.protocol.state is not State.OPEN:
            return
        self.ledger.note(line.account, actions)
        self._write(line.socket, actions)
        for action in actions:
            if type(action) is Freeze:
                line.mute = True
                line.socket.transport.pause_reading()
            elif type(action) is Close:
                self._close(line, action)
        if self._speed is not None and line.waiting_bytes > self._terms.queue_bytes:
            kick = Close(self._now_ns)
            self.ledger.note(line.account, [kick])
            self._close(line, kick)

    def _write(self, socket: ServerConnection, actions: Sequence[Action]) -> None:
        protocol = socket.protocol
        for action in actions:
            if type(action) is Send:
                if action.fault is not None and not action.is_text():
                    protocol.send_binary(action.data)
                else:
                    protocol.send_text(action.data)
        # One write for all frames: a system call for each would dominate the cost.
        socket.transport.write(b"".join(protocol.data_to_send()))

    def _close(self, line: _Line, close: Close) -> None:
        line.mute = True
        if close.code is None:
            line.socket.transport.abort()
            return
        task = asyncio.create_task(line.socket.close(close.code, close.reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # HTTP.

    def _answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """Respond to an HTTP request; None for a WebSocket request."""
        now_s = asyncio.get_running_loop().time()
        if request.path.partition("?")[0] in PATHS:
            if len(self._lines) < MAX_CONNECTIONS:
                return None
            full = HTTPStatus.SERVICE_UNAVAILABLE, error_json("Too many connections")
            return _json(socket, PageAnswer(*full))
        authorization = request.headers.get("Authorization", "")
        return _json(socket, self.pages.answer(Asked(request.path, authorization, now_s)))


@contextmanager
def running(exchange: Exchange) -> Iterator[Exchange]:
    """Run the exchange in a thread until the block ends; re-raises the error that ended it."""
    ready: Future[asyncio.AbstractEventLoop] = Future()
    over = asyncio.Event()

    async def serve_it() -> None:
        async with exchange:
            ready.set_result(asyncio.get_running_loop())
            await over.wait()

    with ThreadPoolExecutor(1, "exchange") as pool:
        done = pool.submit(asyncio.run, serve_it())
        try:
            started = cast("Future[object]", ready), cast("Future[object]", done)
            wait(started, return_when=FIRST_COMPLETED)
            if not ready.done():
                done.result()
            yield exchange
        finally:
            # Also if the block was interrupted before the exchange was ready.
            ready.add_done_callback(lambda loop: loop.result().call_soon_threadsafe(over.set))
        done.result()


def _json(socket: ServerConnection, answer: PageAnswer) -> Response:
    response = socket.respond(answer.status, answer.body.decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response
