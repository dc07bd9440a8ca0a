"""A hostile venue on 127.0.0.1: raw sockets, and for each way to be hostile one small script.

`HANDSHAKES` answer a WebSocket handshake, `SESSIONS` misbehave behind a good one, `ANSWERS` are
those of REST. Each is a coroutine of a `Wire`; when it returns, the socket is closed.
"""

import asyncio
import gzip
import json
import os
import struct
import time
from base64 import b64encode
from contextlib import suppress
from hashlib import sha1

from barograph.times import format_time
from barograph.wire import stop_accepting
from coinbase_messages import TICKER, ticker

HOLE = 200
TICK_S = 0.05
TRICKLE_S = 0.05
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Wire:
    """One connection of a client that has sent its request's head."""

    def __init__(self, venue, reader, writer, head):
        self.venue, self.reader, self.writer = venue, reader, writer
        self.path = head.split(b" ")[1].decode()
        keys = [
            line[19:] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: ")
        ]
        self.key = keys[0] if keys else None

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status, *headers, body=b""):
        lines = [f"HTTP/1.1 {status}", *headers]
        await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    async def trickle(self, data, then=b"x"):
        """Byte by byte, and on for ever."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(TRICKLE_S)
        while True:
            await self.send(then)
            await asyncio.sleep(TRICKLE_S)

    async def flood(self, data):
        while True:
            await self.send(data)
            await asyncio.sleep(0)

    async def accept(self, *headers, accept=None):
        accept = accept or b64encode(sha1(self.key + _GUID).digest()).decode()  # noqa: S324
        await self.head(
            "101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}", *headers,
        )  # fmt: skip

    def reset(self):
        """End the connection by RST."""
        socket = self.writer.get_extra_info("socket")
        socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
        self.writer.transport.abort()

    async def tick(self):
        await self.send(frame(self.venue.ticker()))

    async def on(self):
        """Behave, for ever."""
        while True:
            await self.tick()
            await asyncio.sleep(TICK_S)


def frame(data, head=0x81, mask=0):
    size = len(data)
    if size < 126:
        return bytes([head, mask | size]) + data
    if size < 1 << 16:
        return bytes([head, mask | 126]) + size.to_bytes(2, "big") + data
    return bytes([head, mask | 127]) + size.to_bytes(8, "big") + data


async def forever():
    await asyncio.Event().wait()


# Handshakes.


def redirects(location, status="301 Moved"):
    async def script(wire):
        where = location.format(port=wire.venue.port, other=wire.venue.other_port)
        await wire.head(status, f"Location: {where}", "Content-Length: 0")

    return script


def says(status, *headers, body=b""):
    async def script(wire):
        await wire.head(status, *headers, body=body)
        await forever()

    return script


def sends(data, *, endless=b""):
    async def script(wire):
        await wire.send(data)
        if endless:
            await wire.flood(endless)
        await forever()

    return script


def trickles(data, then=b"x"):
    async def script(wire):
        await wire.trickle(data, then)

    return script


def resets(data=b""):
    async def script(wire):
        if data:
            await wire.send(data)
        wire.reset()

    return script


def accepts(*headers, accept=None):
    async def script(wire):
        await wire.accept(*headers, accept=accept)
        await forever()

    return script


async def silent(_wire):
    await forever()


async def hangs_up(_wire):
    pass


HANDSHAKES = {
    "redirect to wss": redirects("wss://127.0.0.1:{port}/exchange"),
    "redirect to https": redirects("https://127.0.0.1:{port}/exchange"),
    "redirect to no address": redirects("ws://[oops/"),
    "redirect to a port that is none": redirects("ws://127.0.0.1:99999/"),
    "redirect to itself": redirects("/exchange", "302 Found"),
    "redirect to another host": redirects("ws://127.0.0.1:{other}/exchange", "307 Later"),
    "redirect to control characters": redirects("\x9b2J\x80evil", "308 Now"),
    "redirect to nowhere": says("301 Moved", "Content-Length: 0"),
    "two locations": says("302 Found", "Location: /a", "Location: ws://[", "Content-Length: 0"),
    "status 200": says("200 OK", "Content-Length: 2", body=b"hi"),
    "status 204": says("204 No Content"),
    "status 401": says("401 No", "WWW-Authenticate: Basic", "Content-Length: 0"),
    "status 429": says("429 Slowly", "Retry-After: 99999999", "Content-Length: 0"),
    "status 503 with a page": says("503 x", "Content-Length: 100000", body=b"e" * 100_000),
    "status 999": says("999 What"),
    "early hints for ever": sends(b"", endless=b"HTTP/1.1 103 Hints\r\n\r\n"),
    "a huge length": says("200 OK", f"Content-Length: {10**15}"),
    "two lengths": says("200 OK", "Content-Length: 1", "Content-Length: 2", body=b"xx"),
    "a body without end": sends(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"x" * 65536),
    "HTTP/1.0 without end": sends(b"HTTP/1.0 200 OK\r\n\r\n", endless=b"x" * 65536),
    "a chunk's head without end": sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", endless=b"0" * 65536
    ),
    "an unknown coding": says("200 OK", "Transfer-Encoding: brand-new"),
    "many headers": says("101 Switching", *(f"X-{n}: {'y' * 4000}" for n in range(5000))),
    "a header without end": sends(b"HTTP/1.1 101 Switching\r\nX: ", endless=b"y" * 65536),
    "a status line without end": sends(b"HTTP/1.1 101 ", endless=b"y" * 65536),
    "garbage": sends(b"\x00\xff\r\n" + bytes(range(256)) * 100),
    "garbage without end": sends(b"", endless=os.urandom(65536)),
    "nothing": silent,
    "a slow head": trickles(b"HTTP/1.1 101 Switching Protocols\r\nX: "),
    "another key": accepts(accept="bm90IHRoZSBvbmU="),
    "two keys": accepts("Sec-WebSocket-Accept: bm90IHRoZSBvbmU="),
    "an extension that nobody offered": accepts("Sec-WebSocket-Extensions: permessage-deflate"),
    "a subprotocol that nobody offered": accepts("Sec-WebSocket-Protocol: soap"),
    "no upgrade": says("101 Switching Protocols"),
    "two upgrades": accepts("Upgrade: h2c", "Connection: close"),
    "a reset at once": resets(),
    "a reset in the head": resets(b"HTTP/1.1 101 Swi"),
    "an end at once": hangs_up,
    "TLS where none is spoken": sends(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
}  # fmt: skip


# Sessions: what follows a good handshake and a subscription.


def session(*frames, then=None):
    """Sends frames; then it is silent, repeats `then` for ever, or does what `then` is."""

    async def script(wire):
        for each in frames:
            await wire.send(each)
        if isinstance(then, bytes):
            await wire.flood(then)
        await (then(wire) if then else forever())

    return script


def on(wire):
    return wire.on()


async def deaf_pings(wire):
    """Pings by the million; none of the pongs is read."""
    wire.writer.transport.pause_reading()
    await wire.flood(frame(b"p" * 125, 0x89) * 2000)


async def pings(wire):
    await wire.flood(frame(b"p", 0x89) * 500)


async def slow_frame(wire):
    await wire.trickle(frame(wire.venue.ticker() * 200))


async def large_frames(wire):
    for _ in range(60):
        await wire.send(frame(b'{"pad":"' + b"x" * ((1 << 20) - 100) + b'"}'))
    await wire.on()


async def half_closed(wire):
    await wire.tick()
    wire.writer.write_eof()
    await forever()


SESSIONS = {
    "pings whose pongs nobody reads": deaf_pings,
    "pings without end": pings,
    "empty fragments without end": session(frame(b"", 0x01), then=frame(b"", 0x00) * 1000),
    "fragments beyond the bound": session(frame(b"x" * 1000, 0x01), then=frame(b"y" * 9999, 0x00)),
    "a message that never ends": session(frame(b"x", 0x01)),
    "a continuation of nothing": session(frame(b"x", 0x80)),
    "a reserved bit": session(frame(b"0123456789", 0xC1)),
    "a masked frame": session(frame(b"\0\0\0\0{}", mask=0x80)),
    "an unknown opcode": session(frame(b"", 0x8B)),
    "a ping that is too long": session(frame(b"x" * 126, 0x89)),
    "a length of 2^63": session(b"\x81\x7f" + (1 << 63).to_bytes(8, "big"), then=b"x" * 65536),
    "a frame beyond the bound": session(frame(b"x" * ((1 << 20) + 1))),
    "a close without TCP's": session(frame(struct.pack(">H", 1000), 0x88)),
    "a close and more": session(frame(struct.pack(">H", 1000), 0x88), then=frame(b"{}") * 1000),
    "a close of no known code": session(frame(struct.pack(">H", 7), 0x88)),
    "a close of bad text": session(frame(b"\x03\xe8\xff\xfe", 0x88)),
    "text that is no UTF-8": session(frame(b'{"type":"ticker","x":"\xff\xfe"}'), then=on),
    "deep JSON": session(
        frame(b"[" * 500_000),
        frame(b'{"type":"ticker","a":' + b"[" * 300_000 + b"]" * 300_000 + b"}"),
        then=on,
    ),
    "a number of many digits": session(
        frame(b'{"type":"ticker","trade_id":' + b"9" * 400_000 + b"}"), then=on
    ),
    "tiny frames": session(*[frame(b"{}") * 1000] * 20, then=on),
    "large frames": large_frames,
    "a slow frame": slow_frame,
    "half of the connection closed": half_closed,
    "a reset in a frame": resets(b"\x81\x7e\xff\xff{"),
    "silence": session(),
    "an end at once": session(then=hangs_up),
}


# Answers of REST.


def page(ids):
    return json.dumps(
        [
            {
                "trade_id": n, "side": "sell", "size": "0.001", "price": "103472.30",
                "time": format_time(time.time_ns()),
            }
            for n in ids
        ]
    ).encode()  # fmt: skip


def body(of, *headers):
    """A whole answer, whose body follows from the id that was asked for."""

    async def script(wire):
        data = of(int(wire.path.rpartition("after=")[2]))
        await wire.head("200 OK", f"Content-Length: {len(data)}", *headers, body=data)

    return script


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ANSWERS = {
    "redirect to no address": redirects("http://[oops/", "302 Found"),
    "redirect to ftp": redirects("ftp://127.0.0.1:{other}/x", "302 Found"),
    "redirect to a file": redirects("file:///etc/hostname", "302 Found"),
    "redirect to itself": redirects("/products/BTC-USD/trades?after=1", "302 Found"),
    "redirect to another host": redirects("http://127.0.0.1:{other}/", "307 Later"),
    "redirect to nowhere": says("301 Moved", "Content-Length: 0"),
    "status 204": says("204 No Content"),
    "status 206": says("206 Part", "Content-Length: 2", body=b"[]"),
    "status 304": says("304 Same"),
    "status 404": says("404 No", "Content-Length: 2", body=b"no"),
    "status 429": says("429 Slowly", "Retry-After: 99999999", "Content-Length: 0"),
    "status 500 with a page": says("500 x", "Content-Length: 9999999", body=b"e" * 100_000),
    "status 999": says("999 What", "Content-Length: 0"),
    "status 101": says("101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"),
    "one trade a page": body(lambda after: page([after - 1])),
    "a page that goes up": body(lambda after: page([after + 5, after])),
    "an empty page": body(lambda _after: b"[]"),
    "another page": body(lambda _after: b'{"message":"slow down"}'),
    "deep JSON": body(lambda _after: b"[" * 500_000),
    "numbers of many digits": body(lambda _after: b'[{"trade_id":' + b"9" * 9999 + b"}]"),
    "negative ids": body(lambda _after: page([-(2**63), -5])),
    "no UTF-8": body(lambda _after: b'[{"trade_id":1,"\xff":2}]'),
    "a page that is compressed": body(
        lambda _after: gzip.compress(b" " * (8 << 20)), "Content-Encoding: gzip"
    ),
    "a huge length": says("200 OK", f"Content-Length: {50 << 20}", body=b"["),
    "a huge page": sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n[", endless=b" " * 65536
    ),
    "two lengths": says("200 OK", "Content-Length: 1", "Content-Length: 2", body=b"[]"),
    "less than was promised": says("200 OK", "Content-Length: 3", body=b"[]"),
    "HTTP/1.0 without end": sends(b"HTTP/1.0 200 OK\r\n\r\n", endless=b" " * 65536),
    "a chunk's head without end": sends(_CHUNKED, endless=b"0" * 65536),
    "a chunk's extension without end": sends(_CHUNKED + b"1;", endless=b"x" * 65536),
    "chunks of one byte without end": sends(_CHUNKED, endless=b"1\r\n \r\n" * 9999),
    "trailers without end": sends(_CHUNKED + b"0\r\n", endless=b"X: y\r\n" * 9999),
    "early hints for ever": sends(b"", endless=b"HTTP/1.1 103 Hints\r\n\r\n" * 999),
    "many headers": says("200 OK", *(f"X-{n}: {'y' * 4000}" for n in range(5000))),
    "a header without end": sends(b"HTTP/1.1 200 OK\r\nX: ", endless=b"y" * 65536),
    "garbage": sends(b"\x00\xff\r\n" + bytes(range(256)) * 100),
    "garbage without end": sends(b"", endless=os.urandom(65536)),
    "nothing": silent,
    "a slow head": trickles(b"HTTP/1.1 200 OK\r\nX: "),
    "a slow body": trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n[", b" "),
    "slow chunks": trickles(_CHUNKED, b"1\r\n \r\n"),
    "a reset at once": resets(),
    "a reset in the head": resets(b"HTTP/1.1 200 O"),
    "a reset in the body": resets(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n["),
    "an end at once": hangs_up,
}


class Hostile:
    """The venue: `play(wire, number)` has the number-th WebSocket, `answer(wire)` the rest.

    `strangers` counts who came to `other_port`, where nobody is sent on purpose.
    """

    def __init__(self, play, answer=ANSWERS["status 404"]):
        self.connections = self.requests = self.strangers = 0
        self.port = self.other_port = None
        self._play, self._answer = play, answer
        self._next = 0
        self._tasks = set()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/exchange"

    def ticker(self, skip=0):
        """The next trade's, of this moment."""
        self._next += 1 + skip
        return json.dumps(ticker(self._next) | {"time": format_time(time.time_ns())}).encode()

    @property
    def last_trade_id(self):
        return TICKER["trade_id"] + self._next

    async def serve(self, ready):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        other = await asyncio.start_server(self._stray, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.other_port = other.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        for each in (server, other):
            await stop_accepting(each)
            each.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self):
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _stray(self, _reader, writer):
        self.strangers += 1
        writer.transport.abort()

    async def _take(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                wire = Wire(self, reader, writer, await reader.readuntil(b"\r\n\r\n"))
                if wire.key is None:
                    self.requests += 1
                    await self._answer(wire)
                else:
                    self.connections += 1
                    await self._play(wire, self.connections)
                await writer.drain()
        except asyncio.CancelledError:
            pass  # the venue is closed; asyncio's streams would print it
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()
