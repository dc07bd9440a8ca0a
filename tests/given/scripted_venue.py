"""A venue on 127.0.0.1 that does to each connection what a test says, with trades over REST."""

import asyncio
import json
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

from barograph.wire import stop_accepting
from venue_threads import LIMIT_S

QUIET_TURNS = 10
"""Of the loop, without a connection: from its acceptance until it is made it takes 3."""


class Scripted:
    """`script(socket, number)` plays the number-th connection, from 1; it ends with it.

    `heard` are the messages that clients sent, `paths` those of their REST requests.
    `answer(path)` is an HTTP status and body for each.
    """

    def __init__(self, script, answer=lambda _path: (404, b""), tls=None):
        self.connections, self.heard, self.paths = 0, [], []
        self.port = None
        self._script, self._answer, self._tls = script, answer, tls
        self._open = set()

    @property
    def url(self):
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/exchange"

    async def serve(self, ready):
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        async with serve(
            self._play, "127.0.0.1", 0, ssl=self._tls, process_request=self._rest,
            create_connection=self._connection,
            ping_interval=None, compression=None, close_timeout=0.1, max_size=None,
        ) as server:  # fmt: skip
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._stop.wait()
            await stop_accepting(server)
        # Who asked over REST, or came while the server closed, may still be there. Python 3.11
        # waits for neither, and the loop hears of who was just accepted some turns later.
        async with asyncio.timeout(LIMIT_S):
            quiet_turns = 0
            while quiet_turns < QUIET_TURNS:
                quiet_turns = 0 if self._open else quiet_turns + 1
                for transport in self._open:
                    transport.abort()
                await asyncio.sleep(0)

    def _connection(self, *words, **more):
        """One that is known from its beginning to its end."""
        opened = self._open

        class Known(ServerConnection):
            def connection_made(self, transport):
                opened.add(transport)
                super().connection_made(transport)

            def connection_lost(self, error):
                opened.discard(self.transport)
                super().connection_lost(error)

        return Known(*words, **more)

    def stop(self):
        self._loop.call_soon_threadsafe(self._stop.set)

    def drop(self):
        """End every connection at once."""
        for transport in list(self._open):
            self._loop.call_soon_threadsafe(transport.abort)

    async def _play(self, socket):
        self.connections += 1
        both = {
            asyncio.create_task(self._listen(socket)),
            asyncio.create_task(self._act(socket, self.connections)),
        }
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        if not socket.transport.is_reading():  # a script paused it: nobody else will ever end it
            socket.transport.abort()

    async def _act(self, socket, number):
        with suppress(ConnectionClosed):
            await self._script(socket, number)

    async def _listen(self, socket):
        with suppress(ConnectionClosed):
            async for message in socket:
                self.heard.append(json.loads(message))

    def _rest(self, _socket, request):
        if "Upgrade" in request.headers:
            return None
        self.paths.append(request.path)
        status, body = self._answer(request.path)
        headers = Headers({"Content-Length": str(len(body)), "Connection": "close"})
        return Response(status, "scripted", headers, body)


def pages(trades):
    """What REST answers: `trades` by id; unknown products are not found."""

    def answer(path):
        parts = urlsplit(path)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        page = [trades[n] for n in sorted(trades, reverse=True) if n < query["after"]]
        return 200, json.dumps(page[: query["limit"]]).encode()

    return answer


async def forever():
    """As long as the connection stands: the script is cancelled with it."""
    await asyncio.Event().wait()
