"""GET: whatever a server answers is a body within the bound, or an error in one line."""

import asyncio
import os
from contextlib import asynccontextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from barograph.rest import MAX_BODY_BYTES, AnswerError, Rest
from certificates import certificate, serving

HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 302 Found\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 101 Switching\r\n", b"HTTP/1.1 \r\n",
        b"Content-Length: 4\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n", b"Content-Encoding: gzip\r\n", b"Location: //[\r\n",
        b"Location: \xff\x9b2J\r\n", b"\r\n", b"4\r\nbody\r\n", b"0\r\n\r\n", b"body", b":\r\n",
    ]
)  # fmt: skip


@asynccontextmanager
async def server(answer, tls=None):
    """`answer(head, reader, writer)` for each request; yields the port."""

    async def take(reader, writer):
        try:
            await answer(await reader.readuntil(b"\r\n\r\n"), reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls) as listening:
        yield listening.sockets[0].getsockname()[1]


def got(data, proxies=False):
    """What comes of an answer of these bytes, after which the connection ends."""

    async def answer(_head, _reader, writer):
        writer.write(data)

    async def get():
        async with server(answer) as port:
            return await Rest(proxies=proxies).get(f"http://127.0.0.1:{port}/a?b=1")

    return asyncio.run(get())


@given(st.one_of(st.binary(max_size=300), st.lists(HEADS, max_size=8).map(b"".join)))
@example(b"")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
def test_whatever_the_bytes_are_there_is_a_body_or_one_line(data):
    try:
        body, problem = got(data), ""
    except (AnswerError, ConnectionError) as error:
        body, problem = b"", str(error)
    assert problem.isprintable()
    assert len(problem) < 500
    assert not body or data.startswith(b"HTTP/1.")
    assert len(body) <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nb\r\n3\r\nody\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\n\r\nbody",
    ],
)
def test_a_body_comes_whole_however_it_is_framed(data):
    assert got(data) == b"body"


def test_the_bound_of_a_body_is_exact():
    for size in (MAX_BODY_BYTES, MAX_BODY_BYTES + 1):
        data = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * size
        if size == MAX_BODY_BYTES:
            assert len(got(data)) == size
        else:
            with pytest.raises(AnswerError, match="more than"):
                got(data)


def test_a_request_says_who_asks_and_for_what():
    heads = []

    async def answer(head, _reader, writer):
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def get():
        async with server(answer) as port:
            await Rest(proxies=False).get(f"http://127.0.0.1:{port}/products/X/trades?limit=1")
            return port

    port = asyncio.run(get())
    lines = heads[0].split(b"\r\n")
    assert lines[0] == b"GET /products/X/trades?limit=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}".encode() in lines
    assert any(line.startswith(b"User-Agent: barograph/") for line in lines)


def test_tls_is_verified(tmp_path, monkeypatch):
    pem = certificate(tmp_path / "good.pem")

    async def answer(_head, _reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async def get():
        async with server(answer, serving(pem)) as port:
            with pytest.raises(OSError, match="certificate"):
                await Rest(proxies=False).get(f"https://localhost:{port}/")
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            return await Rest(proxies=False).get(f"https://localhost:{port}/")

    assert asyncio.run(get()) == b"hi"


@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy_of_the_environment_is_gone_through_with_its_password(
    tmp_path, monkeypatch, secure
):
    pem, heads = certificate(tmp_path / "good.pem"), []

    async def answer(head, _reader, writer):
        heads.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async def forward(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def proxy(head, reader, writer):
        heads.append(head)
        target = head.split(b" ")[1].decode()
        if secure:
            host, port = target.split(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            host, port = target.split("/")[2].split(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        if not secure:
            there_writer.write(head)
        try:
            await asyncio.gather(forward(reader, there_writer), forward(there_reader, writer))
        finally:
            there_writer.transport.abort()

    async def get():
        async with (
            server(answer, serving(pem) if secure else None) as port,
            server(proxy) as proxy_port,
        ):
            scheme = "https" if secure else "http"
            monkeypatch.setenv(f"{scheme}_proxy", f"http://me:p%40ss@127.0.0.1:{proxy_port}")
            return await Rest(proxies=True).get(f"{scheme}://localhost:{port}/x")

    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("no_proxy", "")
    assert asyncio.run(get()) == b"hi"
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in heads[0]
    assert heads[0].startswith(b"CONNECT " if secure else b"GET http://localhost:")
    assert len(heads) == 2
    assert b"Proxy-Authorization" not in heads[1] or not secure


def test_a_proxy_that_refuses_or_is_of_another_kind_is_a_problem_in_one_line(monkeypatch):
    async def answer(_head, _reader, writer):
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")

    async def get(address=None):
        async with server(answer) as port:
            monkeypatch.setenv("https_proxy", address or f"127.0.0.1:{port}")
            await Rest(proxies=True).get("https://localhost:1/x")

    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(AnswerError, match="407"):
        asyncio.run(get())
    with pytest.raises(AnswerError, match="socks5"):
        asyncio.run(get("socks5://127.0.0.1:1"))


def test_cancelling_ends_a_get_at_once_wherever_it_is():
    async def answer(_head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + os.urandom(4).hex().encode())
        await reader.read()

    async def get():
        async with server(answer) as port:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await Rest(proxies=False).get(f"http://127.0.0.1:{port}/")

    asyncio.run(get())
