"""What all connections share: bounds on what is unread, lookups that keep nobody, error texts."""

import asyncio
import gc
import socket as sockets
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidMessage

from barograph.wire import (
    MAX_LOOKUPS,
    MAX_REASON_CHARACTERS,
    BoundedServer,
    Loop,
    reason_of,
    shown,
    stop_accepting,
)


@given(st.text(max_size=2 * MAX_REASON_CHARACTERS))
def test_foreign_text_is_one_printable_line_of_bounded_length(text):
    line = shown(text)
    assert line.isprintable()
    assert min(len(text), MAX_REASON_CHARACTERS) <= len(line) <= MAX_REASON_CHARACTERS
    if text.isprintable() and len(text) <= MAX_REASON_CHARACTERS:
        assert line == text


def test_a_reason_names_the_error_where_its_text_alone_says_little():
    assert reason_of(OSError("no route")) == "no route"
    assert reason_of(TimeoutError()) == "TimeoutError"
    assert reason_of(ZeroDivisionError("by 0")) == "ZeroDivisionError: by 0"
    hidden = InvalidMessage("no HTTP")
    hidden.__cause__ = ValueError("line 1")
    assert reason_of(hidden) == "no HTTP: line 1"


def in_loop(main):
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)


def test_names_are_looked_up_as_the_system_does():
    async def both():
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo("localhost", 80, type=sockets.SOCK_STREAM)
        with pytest.raises(UnicodeError):
            await loop.getaddrinfo("x" * 64, 80)
        return addresses

    assert in_loop(both()) == sockets.getaddrinfo("localhost", 80, type=sockets.SOCK_STREAM)


def test_lookups_that_wait_are_bounded_and_keep_no_loop(monkeypatch):
    answer = threading.Event()

    def getaddrinfo(*_arguments, **_kinds):
        assert answer.wait(60)
        return []

    async def ask():
        loop = asyncio.get_running_loop()
        waiting = [asyncio.create_task(loop.getaddrinfo("a.test", 1)) for _ in range(MAX_LOOKUPS)]
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="lookups wait"):
            await loop.getaddrinfo("b.test", 1)
        return waiting

    monkeypatch.setattr(sockets, "getaddrinfo", getaddrinfo)
    waiting = in_loop(ask())
    assert all(task.cancelled() for task in waiting)
    answer.set()


@pytest.mark.slow
def test_a_client_that_reads_no_pong_is_cut_by_a_server():
    async def flood():
        gone = asyncio.Event()

        async def attend(socket):
            await socket.wait_closed()
            gone.set()

        async with (
            serve(
                attend, "127.0.0.1", 0, create_connection=BoundedServer, ping_interval=None
            ) as server,
            connect(
                f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", close_timeout=0.1
            ) as client,
        ):
            client.transport.pause_reading()
            while not gone.is_set():
                client.transport.write((b"\x89\xfd" + b"\0" * 4 + b"p" * 125) * 100)
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(flood(), 30))


@pytest.mark.slow
@pytest.mark.parametrize("turns", range(5))
def test_who_was_accepted_when_a_server_stops_is_made_and_leaves_no_socket(turns):
    """A socket that was forgotten is a ResourceWarning, which is an error here."""
    made = []

    class Known(asyncio.Protocol):
        def connection_made(self, transport):
            made.append(transport)

    async def play():
        server = await asyncio.get_running_loop().create_server(Known, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        with sockets.create_connection(address):
            for _ in range(turns):
                await asyncio.sleep(0)
            await stop_accepting(server)
            for transport in made:
                transport.abort()
            server.close()
            await server.wait_closed()

    asyncio.run(play())
    made.clear()
    gc.collect()
