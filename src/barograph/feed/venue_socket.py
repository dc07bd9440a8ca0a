"""The socket to a venue: kept up, read as fast as the writer takes, its frames stamped at receipt.

An event loop in a thread of its own reads and asks; it decides nothing about what it reads. All
goes through an `Inbox`, in one order: openings, frames, answers of REST, closings. Whatever a venue
does, the stream goes on: what went wrong is put too, and the connection is made again.
"""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Self, cast

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from barograph import __version__
from barograph.errors import BadInputError
from barograph.feed.backoff import Backoff
from barograph.feed.hole_asks import HOLD_FOR_S, TRY_FOR_S
from barograph.feed.hole_pages import Filler, Item, Trouble
from barograph.feed.inbox import MAX_BYTES, AbandonedError, Inbox
from barograph.types import DeadLetter, Fault, Frame
from barograph.venues.books import UNIFIED
from barograph.venues.coinbase.endpoints import Endpoint, is_news, subscriptions
from barograph.venues.entries import Closing, Heard, Hole, Opening
from barograph.wire import (
    QUEUE_FRAMES,
    UNREAD_BYTES,
    WRITE_LIMIT_BYTES,
    BoundedClient,
    Connect,
    Loop,
    RedirectError,
    reason_of,
)

# Its log would hold each message sent, and with it a subscription's token.
_SILENT = logging.getLogger(__name__)
_SILENT.disabled = True

_SHORTEST_LOOK_S = 0.01

MAX_FRAME_BYTES = 1 << 20
"""Of a message, in one frame or in fragments. websockets allows 4096 of these."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a stream waits, in seconds, and what it takes at most.

    `silence_s`: a connection without a frame for so long is given up; heartbeats come each second.
    `fill_s`: how long one hole is requested from REST. `hold_s`: how long after its discovery a
    hole is settled in any case.
    """

    silence_s: float = 10.0
    open_s: float = 10.0
    subscribe_s: float = 5.0
    close_s: float = 0.5
    fill_s: float = TRY_FOR_S
    hold_s: float = HOLD_FOR_S
    frame_bytes: int = MAX_FRAME_BYTES


class ListenPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a live feed listens to, and how. `seconds` None listens until it is stopped.

    `books` says which names are one book, `one_book` those of the names that were asked for.
    `unchecked` says why it is not known whether the venue lists them, once it is connected.
    `token` makes a fresh one for each subscription, where the venue wants one; it goes through no
    socket that is not encrypted.
    """

    endpoint: Endpoint
    products: tuple[str, ...]
    books: dict[str, str] | str = UNIFIED
    one_book: dict[str, str] = {}
    unchecked: str = ""
    limits: Limits = Limits()
    queue_entries: int = 20_000
    queue_bytes: int = MAX_BYTES
    clock_limit_s: float = 2.0
    seconds: float | None = None
    token: Callable[[], str] | None = None


class FrameStream:
    """One venue's connection, made again whenever it is lost, from `with` to its end.

    `connections` counts those that were opened, `overflows` those that were aborted because the
    venue left too much of ours unread. `failure` says why there was never one; then, as after
    `stop`, the inbox ends.
    """

    def __init__(self, plan: ListenPlan, inbox: Inbox[Item], random: Random | None = None) -> None:
        endpoint = plan.endpoint
        self.connections = self.overflows = 0
        self.failure: BadInputError | None = None
        self._endpoint, self._products, self._inbox = endpoint, plan.products, inbox
        self._limits = plan.limits
        self._token = plan.token if endpoint.encrypted else None
        self._backoff = Backoff(random or Random())  # noqa: S311 - jitter
        # Unique per run, so that connection names never repeat.
        self._name = f"{endpoint.venue}/{time.time_ns() // 1_000_000}"
        self._loop = Loop()
        self._filler = Filler(endpoint, inbox, hold_for_s=plan.limits.hold_s)
        self._keeping: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._socket: BoundedClient | None = None
        self._stopping = self._putting = False
        self._heard_s = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stream")
        self._running: Future[None] | None = None

    def __enter__(self) -> Self:
        """Start the event loop's thread, which connects at once."""
        self._running = self._thread.submit(self._run)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop and join the thread; raises the error that ended its loop, if one did."""
        self._inbox.abandon()
        self.stop()
        self._thread.shutdown()
        if kind is None and self._running is not None:
            self._running.result()

    # Called from any thread.

    def stop(self) -> None:
        """Close the socket; what was received before goes into the inbox, which then ends."""
        self._soon(self._end)

    def ask(self, hole: Hole, for_s: float = TRY_FOR_S) -> None:
        """Ask REST for the trades of a hole, for so long: its answers come, and then an Asked."""
        self._soon(self._filler.ask, hole, for_s)

    def _soon(self, call: Callable[..., object], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    # Called in the loop's thread.

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        try:
            self._keeping = asyncio.create_task(self._keep())
            await asyncio.wait({self._keeping})
            if not self._keeping.cancelled():
                self._keeping.result()
        except AbandonedError:
            pass
        finally:
            self._filler.stop()
            self._inbox.end()

    def _end(self) -> None:
        self._stopping = True
        if self._socket is not None:
            self._closing = asyncio.create_task(self._close(self._socket))
        elif self._keeping is not None:
            self._keeping.cancel()

    async def _keep(self) -> None:
        while not self._stopping:
            # Whatever ended a connection is reported, and the next one made: no venue ends it.
            (end,) = await asyncio.gather(self._connection(), return_exceptions=True)
            if isinstance(end, AbandonedError):
                raise end
            if end is not None and not self.connections:
                self.failure = _unreachable(self._endpoint.socket, end)
                return
            if end is not None:
                await self._inbox.put(Trouble(reason_of(end)))
            if not self._stopping:
                await asyncio.sleep(self._backoff.next_s())

    async def _connection(self) -> None:
        """One connection from its handshake to its end; raises why it could not be made."""
        limits = self._limits
        opened = await Connect(
            self._endpoint.socket,
            ssl=ssl.create_default_context() if self._endpoint.encrypted else None,
            proxy=None if self._endpoint.local else True,
            compression=None,  # the processor is the scarcer thing here
            user_agent_header=f"barograph/{__version__}",
            open_timeout=limits.open_s,
            close_timeout=limits.close_s,
            ping_interval=None,  # heartbeats and the watchdog see more
            max_size=limits.frame_bytes,
            max_queue=QUEUE_FRAMES,
            write_limit=WRITE_LIMIT_BYTES,
            logger=_SILENT,
            create_connection=BoundedClient,
        )
        self._socket = socket = cast("BoundedClient", opened)
        self.connections += 1
        await self._listen(socket)

    async def _close(self, socket: BoundedClient) -> None:
        """Close a socket within `close_s`, whether or not the other side reads."""
        try:
            async with asyncio.timeout(self._limits.close_s):
                await socket.close()
        except TimeoutError:
            socket.transport.abort()

    async def _listen(self, socket: BoundedClient) -> None:
        name, dialect = f"{self._name}-{self.connections}", self._endpoint.dialect
        watchdog = asyncio.create_task(self._watch(socket))
        try:
            await self._inbox.put(
                Opening(connection=name, dialect=dialect, fill=self._endpoint.rest is not None)
            )
            async with asyncio.timeout(self._limits.subscribe_s):
                await self._subscribe(socket)
            await self._read(socket, name)
        except TimeoutError:  # nobody reads what we send
            pass
        finally:
            watchdog.cancel()
            await self._close(socket)
            self._socket = None
        if socket.overflowed:
            self.overflows += 1
            await self._inbox.put(Trouble(_UNREAD))
        await self._inbox.put(Closing(connection=name))

    async def _subscribe(self, socket: BoundedClient) -> None:
        try:
            for message in subscriptions(self._endpoint.dialect, self._products):
                if self._token is not None:
                    message["jwt"] = self._token()
                await socket.send(json.dumps(message))
        except ConnectionClosed:
            pass  # what came before is still to be read

    async def _read(self, socket: BoundedClient, name: str) -> None:
        dialect, put = self._endpoint.dialect, self._inbox.put
        frames, news = 0, False
        try:
            while True:
                data = await socket.recv(decode=False)
                frame = Frame(data=data, connection=name, receive_time_ns=time.time_ns())
                frames += 1
                if not news and is_news(data, dialect):
                    news = True
                    self._backoff.reset()
                self._putting = True
                await put(Heard(frame, dialect), len(data))
                self._putting = False
                self._heard_s = self._loop.time()
        except ConnectionClosed as closed:
            sent = closed.sent
            if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG:
                await put(_too_long(name, frames + 1, sent.reason))
        finally:
            self._putting = False

    async def _watch(self, socket: BoundedClient) -> None:
        """Close a socket that says nothing; whether the other side lives shows in nothing else."""
        self._heard_s = self._loop.time()
        while True:
            left_s = self._heard_s + self._limits.silence_s - self._loop.time()
            if self._putting:  # it is we who do not read
                left_s = self._limits.silence_s
            if left_s <= 0:
                break
            await asyncio.sleep(max(left_s, _SHORTEST_LOOK_S))
        await self._close(socket)


_UNREAD = f"it leaves more than {UNREAD_BYTES} bytes of our answers to its pings unread"


def _unreachable(address: str, why: BaseException) -> BadInputError:
    if isinstance(why, RedirectError):
        return BadInputError(
            address, str(why), f"Name the address itself if you trust it (`--url {why.location}`)"
        )
    return BadInputError(
        address,
        f"it cannot be reached ({reason_of(why)})",
        "Check the network, or take a simulated exchange (`--venue simulated`)",
    )


def _too_long(connection: str, number: int, reason: str) -> DeadLetter:
    return DeadLetter(
        fault=Fault.TOO_LONG,
        detail=f"{reason}: it was not taken in, and the connection was given up",
        source=connection,
        position=str(number),
        key="",
        original=b"",
        receive_time_ns=time.time_ns(),
        cut=True,
    )
