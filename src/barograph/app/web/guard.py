"""The guard in front of all routes: hosts, origins, sizes, rates, headers, counts, access log."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from barograph import telemetry
from barograph.app.web.access_log import Access
from barograph.app.web.limits import (
    BODY_S,
    MAX_AT_WORK,
    MAX_BODY_BYTES,
    Budgets,
    Names,
    cost_of,
)
from barograph.app.web.refused import RefusedError, refusal

_SAFE = {"GET", "HEAD", "OPTIONS"}
_STREAMS = ("/v1/stream", "/v1/ws")

HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
"""Sent with every answer."""

_CLOSE = {"Connection": "close"}  # the rest of the body is not read
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """ASGI: lets a request through to `app`, or refuses it.

    log: called with each request that ended.
    """

    def __init__(self, app: ASGIApp, names: Names, log: Callable[[Access], None]) -> None:
        self._app, self._names, self._log = app, names, log
        self._budgets = Budgets()
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        head = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(scope, head)
        try:
            if refused is not None:
                await answer.refuse(*refused)
            elif scope["type"] == "websocket" or scope["path"] in _STREAMS:
                await self._app(scope, receive, answer.send)
            else:
                await self._work(scope, receive, answer)
        finally:
            self._count(scope, answer)

    async def _work(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if self._at_work >= MAX_AT_WORK:
            await answer.refuse(
                503,
                f"{MAX_AT_WORK} requests are at work already.",
                "Try again in a second.",
                {"Retry-After": "1"},
            )
            return
        self._at_work += 1
        try:
            await self._app(scope, _Body(receive).receive, answer.send)
        finally:
            self._at_work -= 1

    def _refused(
        self, scope: Scope, head: Mapping[str, str]
    ) -> tuple[int, str, str] | tuple[int, str, str, dict[str, str]] | None:
        """Status, error and cure of a request that is not let in."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._names.allow_host(head["host"]):
            cure = "Use the address that was printed, or name the host in web_hosts."
            return 421, f"host {head.get('host', '')[:100]!r} is not this server's.", cure
        origin = head.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if origin is not None and changes and not self._names.allow_origin(origin):
            cure = "Call from a page of this server, or name the origin in web_origins."
            return 403, f"origin {origin[:100]!r} may not do that.", cure
        length = head.get("content-length", "")
        if length.isdigit() and int(length[:18]) > MAX_BODY_BYTES:
            return 413, _too_large(), "Send less in one request.", {"Connection": "close"}
        client = (scope.get("client") or ("",))[0]
        wait_s = self._budgets.spend(client, cost_of(scope["path"]), time.monotonic())
        if wait_s:
            headers = {"Retry-After": str(int(wait_s) + 1)}
            return 429, "too many requests from this address.", "Send fewer a second.", headers
        return None

    def _count(self, scope: Scope, answer: "_Answer") -> None:
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - answer.began_s
        method = scope.get("method", "WS")
        telemetry.HTTP_REQUESTS.add(1, _known(method), route, str(answer.status))
        if scope["path"] not in _STREAMS:
            telemetry.HTTP_SECONDS.observe(seconds, route)
        client = scope.get("client") or ("", 0)
        self._log(
            Access(
                time_ns=time.time_ns(),
                client=str(client[0]),
                method=method,
                path=scope["path"][:500],
                status=answer.status,
                bytes=answer.bytes,
                milliseconds=round(seconds * 1e3, 3),
            )
        )


def _known(method: str) -> str:
    return method if method in {"GET", "HEAD", "POST", "OPTIONS", "WS"} else "other"


def _too_large() -> str:
    return f"the body is larger than the {MAX_BODY_BYTES:,} bytes that are taken."


class _Body:
    """Receives a body within its bounds of size and time."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._bytes = receive, 0
        self._ends_s = asyncio.get_running_loop().time() + BODY_S
        self._whole = False

    async def receive(self) -> Message:
        """The next message. Raises RefusedError, which the application answers."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends_s):
                message = await self._receive()
        except TimeoutError:
            why = f"the body was not whole after {BODY_S:g} s."
            raise RefusedError(408, why, "Send it faster.", _CLOSE) from None
        self._whole = not message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            raise RefusedError(413, _too_large(), "Send less in one request.", _CLOSE)
        return message


class _Answer:
    """Sends an answer with the server's headers, and keeps what the access log wants."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.began_s = time.perf_counter()
        self.status, self.bytes, self.started = 0, 0, False

    async def send(self, message: Message) -> None:
        """Send a message on."""
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            self.started, self.status = True, message["status"]
            own = message.get("headers", [])
            names = {name.lower() for name, _ in own}
            more = [header for header in _HEADERS if header[0] not in names]
            message = {**message, "headers": [*own, *more]}
        elif kind == "websocket.accept":
            self.started, self.status = True, 101
        elif kind == "websocket.close" and not self.started:
            self.status = 403
        self.bytes += len(message.get("body", b""))
        await self._send(message)

    async def refuse(
        self, status: int, error: str, cure: str, headers: dict[str, str] | None = None
    ) -> None:
        """Send a refusal instead of an answer."""

        async def nothing() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        await refusal(status, error, cure, headers)(self._scope, nothing, self.send)
