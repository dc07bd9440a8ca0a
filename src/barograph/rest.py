"""Requests over HTTP/1.1 on the running event loop: bounded in bytes, ended at any moment.

h11 reads and writes the protocol; this is its shell. No redirect is followed, no coding but the
plain one is taken, and TLS is verified.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import h11

from barograph import __version__
from barograph.wire import shown

MAX_HEAD_BYTES = 32 << 10
"""Of an answer's status line and headers, and of a chunk's."""

MAX_BODY_BYTES = 1 << 20
"""A page of 1000 trades takes a sixth of it."""

_CHUNK_BYTES = 1 << 16
MAX_ANSWER_BYTES = 2 * MAX_BODY_BYTES
"""With everything that frames the body: chunks of one byte take six."""

_LONGEST_WAIT = 9  # digits

_PORTS = {"http": 80, "https": 443}


class AnswerError(Exception):
    """An answer is of no use: another status, a redirect, too large, or no HTTP.

    `status` is that of an answer with one that is not wanted, `retry_after_s` how many seconds it
    asks to wait, None where it does not say so as a number.
    """

    def __init__(
        self, why: str, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        self.status, self.retry_after_s = status, retry_after_s
        super().__init__(why)


class Answer(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes


class Question(NamedTuple):
    """A request without its address."""

    method: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class _Site(NamedTuple):
    host: str
    port: int
    credentials: str = ""


class _Wire(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Rest:
    """Bodies at addresses; through the proxies that the environment names where `proxies` is set.

    The proxy itself speaks HTTP: it fetches plain addresses and tunnels TLS ones.
    ca_file: certificates to trust in place of the system's; empty for those.
    """

    def __init__(self, *, proxies: bool, ca_file: str = "") -> None:
        self._proxies, self._ca_file = proxies, ca_file

    async def get(
        self,
        url: str,
        most_bytes: int = MAX_BODY_BYTES,
        headers: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """The body of a 200 at an http or https address; sets no time limit of its own.

        most_bytes: of the body; a longer one is an AnswerError. headers: sent besides the usual.

        Raises AnswerError for any other answer, OSError where the network fails.
        """
        return (await self._exchange(url, Question("GET", tuple(headers)), most_bytes)).body

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Sequence[tuple[str, str]],
        most_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Send `body` to an http or https address; returns when it is answered with any 2xx.

        Sets no time limit of its own. Raises as `get`.
        """
        length = ("Content-Length", str(len(body)))
        await self._exchange(url, Question("POST", (length, *headers), body), most_bytes)

    async def answer(
        self, url: str, question: Question, most_bytes: int = MAX_BODY_BYTES
    ) -> Answer:
        """Ask what `question` says, and return the answer with its status, whatever that is.

        A redirect is an AnswerError all the same. Sets no time limit of its own. Raises as `get`.
        """
        length = ("Content-Length", str(len(question.body)))
        question = question._replace(headers=(length, *question.headers))
        return await self._exchange(url, question, most_bytes, _refuse_unreadable)

    async def _exchange(
        self, url: str, question: Question, most_bytes: int, check: "_Check | None" = None
    ) -> Answer:
        parts = urlsplit(url)
        site = _Site(parts.hostname or "", parts.port or _PORTS[parts.scheme])
        secure = parts.scheme == "https"
        proxy = self._proxy(parts)
        context = self._context() if secure else None
        first = proxy or site
        reader, writer = await asyncio.open_connection(
            first.host, first.port, ssl=None if proxy else context, limit=_CHUNK_BYTES
        )
        try:
            if proxy and context:
                await _tunnel(_Wire(reader, writer), site, proxy)
                await writer.start_tls(context, server_hostname=site.host)
            target = parts._replace(scheme="", netloc="", path=parts.path or "/").geturl()
            host = _authority(site, _PORTS[parts.scheme])
            headers = [("Host", host), *_HEADERS, *question.headers]
            if proxy and not secure:
                target = url
                headers += _authorization(proxy)
            request = h11.Request(method=question.method, target=target, headers=headers)
            wire = _Wire(reader, writer)
            return await _answer(wire, request, most_bytes, question.body, check)
        finally:
            # A TLS shutdown could block and is not needed: the answer is complete or given up.
            writer.transport.abort()

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file or None)

    def _proxy(self, parts: SplitResult) -> _Site | None:
        if not self._proxies or proxy_bypass(parts.netloc.rpartition("@")[2]):
            return None
        address = getproxies().get(parts.scheme)
        if not address:
            return None
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        if proxy.scheme != "http" or not proxy.hostname:
            raise AnswerError(f"a proxy of scheme {proxy.scheme!r} is not supported, only http")
        credentials = ""
        if proxy.username is not None:
            credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        return _Site(proxy.hostname, proxy.port or _PORTS["http"], credentials)


# A venue's REST refuses requests without a User-Agent.
_HEADERS = [
    ("User-Agent", f"barograph/{__version__}"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
]


async def _tunnel(wire: _Wire, site: _Site, proxy: _Site) -> None:
    target = _authority(site, None)
    headers = [("Host", target), *_authorization(proxy)]
    await _answer(wire, h11.Request(method="CONNECT", target=target, headers=headers))


_Check = Callable[[h11.Response], None]


async def _answer(
    wire: _Wire,
    request: h11.Request,
    most_bytes: int = MAX_BODY_BYTES,
    body_sent: bytes = b"",
    check: _Check | None = None,
) -> Answer:
    """Send a request and read its whole answer; of a CONNECT, up to where the tunnel begins.

    check: raises AnswerError for a status or a header that is not wanted.
    """
    check = check or partial(_check, posted=request.method == b"POST")
    status = 0
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    parts = (request, *([h11.Data(data=body_sent)] if body_sent else []), h11.EndOfMessage())
    wire.writer.write(b"".join(connection.send(part) or b"" for part in parts))
    await wire.writer.drain()
    body = bytearray()
    left_bytes = MAX_ANSWER_BYTES // MAX_BODY_BYTES * most_bytes
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await wire.reader.read(_CHUNK_BYTES)
                left_bytes -= len(data)
                connection.receive_data(data)
            elif isinstance(event, h11.Response):
                check(event)
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif not isinstance(event, h11.InformationalResponse):
                return Answer(status, bytes(body))  # its end, or a tunnel's beginning
            if len(body) > most_bytes or left_bytes < 0:
                raise AnswerError(f"an answer of more than {most_bytes} bytes")
    except h11.RemoteProtocolError as error:
        raise AnswerError(f"no HTTP answer ({shown(str(error))})") from None


def _check(response: h11.Response, *, posted: bool) -> None:
    status = response.status_code
    headers = dict(response.headers)
    _refuse_redirect(status, headers)
    if not 200 <= status < 300 or (not posted and status in {204, 205, 206}):
        raise AnswerError(f"HTTP status {status}", status, _seconds(headers.get(b"retry-after")))
    if not posted:
        _refuse_coded(headers)


def _refuse_unreadable(response: h11.Response) -> None:
    """Raise AnswerError for a redirect, and for a body that is not plain; of any status."""
    headers = dict(response.headers)
    _refuse_redirect(response.status_code, headers)
    _refuse_coded(headers)


def _refuse_redirect(status: int, headers: Mapping[bytes, bytes]) -> None:
    if 300 <= status < 400:
        location = shown(headers.get(b"location", b"nowhere").decode("latin-1"))
        raise AnswerError(
            f"HTTP status {status}, a redirect to {location}, which is not followed", status
        )


def _refuse_coded(headers: Mapping[bytes, bytes]) -> None:
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding != b"identity":
        raise AnswerError(f"a body coded as {shown(coding.decode('latin-1'))}, not plain")


def _seconds(retry_after: bytes | None) -> float | None:
    """The wait that a Retry-After asks for; None where there is none, or a date."""
    if retry_after is None or not retry_after.isdigit() or len(retry_after) > _LONGEST_WAIT:
        return None
    return float(retry_after)


def _authority(site: _Site, implied_port: int | None) -> str:
    host = f"[{site.host}]" if ":" in site.host else site.host
    return host if site.port == implied_port else f"{host}:{site.port}"


def _authorization(proxy: _Site) -> list[tuple[str, str]]:
    if not proxy.credentials:
        return []
    coded = b64encode(proxy.credentials.encode()).decode()
    return [("Proxy-Authorization", f"Basic {coded}")]
