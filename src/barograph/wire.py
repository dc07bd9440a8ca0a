"""What every connection over the network shares: bounded WebSockets, name lookups, error texts.

A stranger may send pings and read none of the pongs, redirect to anywhere, or answer a name lookup
never. None of these may grow this process, lead it elsewhere, or keep it from ending.
"""

import asyncio
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import InvalidHandshake, InvalidStatus

from barograph.foreign import one_line

UNREAD_BYTES = 256 << 10
"""A connection is aborted where the other side leaves more than that of ours unread."""

WRITE_LIMIT_BYTES = 32 << 10
"""Our own sends wait where more than that is unread."""

QUEUE_FRAMES = 16
"""Frames that wait to be taken; behind them nothing is read from the socket."""

MAX_LOOKUPS = 16
"""Name lookups under way at once. Each has a thread that nothing can stop."""

MAX_REASON_CHARACTERS = 300

_TURNS_TO_MAKE = 10
"""Of a loop; an accepted connection is made within three."""


class BoundedClient(ClientConnection):
    """A client's connection; `overflowed` once it was aborted for what is unread."""

    overflowed = False

    def data_received(self, data: bytes) -> None:
        """Take what came, and look at what it made us answer."""
        super().data_received(data)
        if self.transport.get_write_buffer_size() > UNREAD_BYTES:
            self.overflowed = True
            self.transport.abort()


class BoundedServer(ServerConnection):
    """A server's connection; aborted for answers to pings beyond `unread_bytes` that nobody reads.

    What the server sends on its own account has bounds of its own.
    """

    unread_bytes = UNREAD_BYTES

    def data_received(self, data: bytes) -> None:
        """Take what came, and look at what it made us answer."""
        before_bytes = self.transport.get_write_buffer_size()
        super().data_received(data)
        after_bytes = self.transport.get_write_buffer_size()
        if after_bytes > max(before_bytes, self.unread_bytes):
            self.transport.abort()


class RedirectError(InvalidHandshake):
    """An address redirects; no redirect is followed, so that nothing is sent to another host."""

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__(f"it redirects to {location}, which is not followed")


class Connect(connect):
    """`websockets.connect` that follows no redirect: raises RedirectError."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Refuse what the library would follow."""
        if isinstance(exc, InvalidStatus) and 300 <= exc.response.status_code < 400:
            locations = exc.response.headers.get_all("Location")
            return RedirectError(shown(locations[0]) if locations else "nowhere")
        return exc


class Loop(asyncio.SelectorEventLoop):
    """An event loop that ends although a name server does not answer.

    asyncio looks names up in a pool of threads and waits for all of them at its end. Here each
    lookup has a daemon thread, which is left behind.
    """

    _lookups = 0

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        **kinds: int,
    ) -> list[Any]:
        """As `socket.getaddrinfo`; raises OSError where too many lookups wait already."""
        if self._lookups >= MAX_LOOKUPS:
            raise OSError(f"{self._lookups} name lookups wait for an answer already")
        answer: asyncio.Future[list[Any]] = self.create_future()

        def look_up() -> None:
            found: list[Any] | OSError | UnicodeError
            try:
                found = socket.getaddrinfo(host, port, **kinds)
            except (OSError, UnicodeError) as error:
                found = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self.call_soon_threadsafe(take, found)

        def take(found: "list[Any] | OSError | UnicodeError") -> None:
            self._lookups -= 1
            if answer.done():
                return
            if isinstance(found, list):
                answer.set_result(found)
            else:
                answer.set_exception(found)

        self._lookups += 1
        Thread(target=look_up, name="name lookup", daemon=True).start()
        return await answer


def reason_of(error: BaseException) -> str:
    """Why something failed, in one printable line; with the cause where the error hides it."""
    text = str(error) or type(error).__name__
    if not isinstance(error, OSError | InvalidHandshake):
        text = f"{type(error).__name__}: {error}"
    cause = error.__cause__
    if isinstance(error, InvalidHandshake) and cause is not None and str(cause):
        text = f"{text}: {cause}"
    return shown(text)


def shown(text: str) -> str:
    """Foreign text in one printable line of at most MAX_REASON_CHARACTERS characters."""
    text = one_line(text[: MAX_REASON_CHARACTERS + 1])
    if len(text) > MAX_REASON_CHARACTERS:
        text = text[: MAX_REASON_CHARACTERS - 1] + "…"
    return text


async def stop_accepting(server: Server | asyncio.Server) -> None:
    """Take no more connections, and let those that were accepted be made; call it before `close`.

    Python 3.11 leaves the socket of a connection open that was accepted, and not made yet, when
    its server closes.
    """
    for listener in server.sockets:
        asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(_TURNS_TO_MAKE):
        await asyncio.sleep(0)
