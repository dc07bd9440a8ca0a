"""One connection as the server takes it: bounds on its head, and a way to end it at once."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from barograph.app.web.limits import HEADERS_S, MAX_CONNECTIONS, MAX_HEAD_BYTES

ABORT = "barograph.abort"
"""Of a scope's `extensions`: ends the connection at once, whatever waits to be sent."""


class Connection(HttpToolsProtocol):
    """HTTP/1.1 by httptools, whose head must be whole in time and of bounded size.

    A connection beyond the bound is closed at once.
    """

    _head_bytes = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._late is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES + len(data):  # a body may follow in this part
                self._refuse(
                    b"431 Request Header Fields Too Large",
                    b"the head of the request is too large.",
                    b"Send fewer and shorter headers.",
                )
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        extensions: dict[str, Any] = {ABORT: self.transport.abort}
        self.scope["extensions"] = extensions
        if self._late is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._have_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; the parser's word for it is not the client's."""
        del msg
        self._refuse(b"400 Bad Request", b"this is no HTTP request.", b"Send one.")

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(HEADERS_S, self.transport.abort)

    def _have_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: bytes, error: bytes, cure: bytes) -> None:
        if self.transport.is_closing():
            return
        body = b'{"error":"%b","cure":"%b"}' % (error, cure)
        self.transport.write(
            b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (status, len(body), body)
        )
        self.transport.close()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket whose application can end it at once."""

    async def run_asgi(self) -> None:
        """See uvicorn."""
        extensions: dict[str, Any] = dict(self.scope.get("extensions") or {})
        extensions[ABORT] = self.transport.abort
        self.scope["extensions"] = extensions
        await super().run_asgi()
