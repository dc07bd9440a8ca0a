"""The stream: server-sent events and WebSocket from one fan-out, resumed from the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, WebSocket
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from barograph import telemetry
from barograph.app.web.boards import Board, alert_event, encode, prediction_event
from barograph.app.web.connection import ABORT
from barograph.app.web.cursor import LONGEST, Positions, decoded, encoded
from barograph.app.web.fanout import Event, StreamReader
from barograph.app.web.limits import MAX_READERS
from barograph.app.web.reading import CaseQuery, Since, board_of, in_thread, site_of
from barograph.app.web.refused import RefusedError, refused
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.site import Site
from barograph.errors import BadInputError
from barograph.log import Log, browse
from barograph.log.topics import ALERTS
from barograph.types import Record

KEEP_ALIVE_S = 15.0
"""A stream without news sends a comment so often, so that both ends know that it lives."""

MOST_BACK = 200_000
"""Predictions that a stream makes up for at most; a reader further behind is let go."""

GRACE_S = 5.0
"""A reader that was let go is disconnected after so long, whether it has read the reason or not."""

_PAGE = 500

router = APIRouter()

KeysQuery = Annotated[
    str, Query(max_length=4_000, description="Products, comma-separated; empty for all.")
]
LastId = Annotated[str, Header(max_length=LONGEST)]


@router.get("/v1/stream")
async def stream(
    request: Request, case: CaseQuery = "", products: KeysQuery = "", last_event_id: LastId = ""
) -> Response:
    """Server-sent events: `prediction`, `gap`, `alert`, `status`, `behind`.

    Each has an id; a client that sends it as `Last-Event-ID` goes on behind it and misses nothing.
    """
    site = site_of(request)
    board = board_of(site, case)
    await ready(site)
    board = board_of(site, case)
    start = decoded(last_event_id, board.places.positions) if last_event_id else None
    return EventStream(site, board, _keys(products), start)


async def ready(site: Site) -> None:
    """Wait until the boards have what the log keeps. Raises RefusedError (503) after a while."""
    try:
        async with asyncio.timeout(KEEP_ALIVE_S):
            await site.ready.wait()
    except TimeoutError:
        why = site.log_problem or "the server still reads what the log keeps."
        raise RefusedError(503, why, "Try again in some seconds.", {"Retry-After": "5"}) from None


def _keys(products: str) -> frozenset[str]:
    return frozenset(name.strip() for name in products.split(",") if name.strip())


@router.websocket("/v1/ws")
async def web_socket(
    socket: WebSocket, case: CaseQuery = "", products: KeysQuery = "", since: Since = ""
) -> None:
    """The same events over a WebSocket, each as {"id", "event", "data"}; `since` is an id."""
    site: Site = socket.app.state.site
    try:
        board_of(site, case)
        await ready(site)
        board = board_of(site, case)
        start = decoded(since, board.places.positions) if since else None
    except (RefusedError, BadInputError) as error:
        response = await refused(socket, error)
        await socket.send_denial_response(response)
        return
    abort: Callable[[], None] = socket.scope.get("extensions", {}).get(ABORT, _nothing)
    await socket.accept()
    leaving = asyncio.ensure_future(_left(socket))
    sending = asyncio.ensure_future(_send(socket, site, board, (_keys(products), start), abort))
    try:
        await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()


async def _send(
    socket: WebSocket,
    site: Site,
    board: Board,
    wanted: tuple[frozenset[str], Positions | None],
    abort: Callable[[], None],
) -> None:
    keys, start = wanted
    async for events in followed(site, board, keys, start, abort, kind="ws"):
        for each in events:
            await socket.send_text(each.message.decode())
    await socket.close(1013)


async def _left(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue


class EventStream(Response):
    """The response of one reader, until it leaves, is let go or the server stops."""

    media_type = "text/event-stream"

    def __init__(
        self, site: Site, board: Board, keys: frozenset[str], start: Positions | None
    ) -> None:
        self._site, self._board, self._keys, self._start = site, board, keys, start
        self.background = None
        self.status_code = 200
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events; ends with the client."""
        abort: Callable[[], None] = scope.get("extensions", {}).get(ABORT, _nothing)
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        leaving = asyncio.ensure_future(_disconnected(receive))
        sending = asyncio.ensure_future(self._send(send, abort))
        try:
            await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
        if sending.done() and not sending.cancelled():
            sending.result()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, abort: Callable[[], None]) -> None:
        async for events in followed(self._site, self._board, self._keys, self._start, abort):
            body = b"".join([each.sse for each in events]) or b": alive\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def followed(  # noqa: PLR0913 - a reader, and what it reads
    site: Site,
    board: Board,
    keys: frozenset[str],
    start: Positions | None,
    abort: Callable[[], None],
    *,
    kind: str = "sse",
) -> AsyncIterator[Sequence[Event]]:
    """Batches of events behind `start`, or from now on; an empty one now and then.

    Ends when the reader was let go or the server stops. abort: ends the connection, called a while
    after the reader was let go. kind: what its count goes under.
    """
    loop, fanout = asyncio.get_running_loop(), site.fanouts[board.name]

    def on_behind() -> None:
        loop.call_later(GRACE_S, abort)

    if sum(len(each.readers) for each in site.fanouts.values()) >= MAX_READERS:
        yield [_behind(board, f"{MAX_READERS} readers are served already")]
        return
    reader: StreamReader = fanout.join(keys, on_behind)
    _readers(kind, 1)
    now = {topic: list(offsets) for topic, offsets in board.places.positions.items()}
    try:
        yield [_hello(site, board)]
        if start is not None:
            async for events in _missed(site, board, keys, start, now):
                yield events
        while not reader.closed:
            events = await reader.take(KEEP_ALIVE_S)
            if reader.behind:
                telemetry.STREAM_CLOSED.add(1, "behind")
                yield [_behind(board, reader.behind)]
                return
            yield events
    finally:
        fanout.leave(reader)
        _readers(kind, -1)


_counts = {"sse": 0, "ws": 0}


def _readers(kind: str, change: int) -> None:
    _counts[kind] += change
    telemetry.STREAM_READERS.set(_counts[kind], kind)
    telemetry.STREAM_CLOSED.add(0, "behind")  # shown from the first reader on


def _hello(site: Site, board: Board) -> Event:
    return site.status_event(board, time.time_ns())


def _behind(board: Board, reason: str) -> Event:
    return Event("behind", board.places.cursor, encode({"reason": reason}))


async def _missed(
    site: Site, board: Board, keys: frozenset[str], start: Positions, now: Positions
) -> AsyncIterator[Sequence[Event]]:
    """What was written between two positions: gaps and alerts, then predictions from the log."""
    if notices := _notices(board, keys, start, now):
        yield notices
    ends, offsets = now[board.target], list(start[board.target])
    behind = sum(end - offset for end, offset in zip(ends, offsets, strict=True))
    if behind > MOST_BACK:
        reason = f"{behind:,} predictions were missed, more than {MOST_BACK:,}"
        yield [_behind(board, reason)]
        return
    for partition, end in enumerate(ends):
        while offsets[partition] < end:
            page = await in_thread(
                site, _page, site.log, board.target, partition, offsets[partition]
            )
            events = []
            for record in page:
                if record.offset >= end:
                    break
                offsets[partition] = record.offset + 1
                answer = board.answer(record)
                if answer is not None and (not keys or record.key in keys):
                    cursor = encoded({**start, board.target: offsets})
                    events.append(prediction_event(answer, record.key, cursor))
            if not page or page[-1].offset >= end - 1:
                offsets[partition] = end
            if events:
                yield events


def _notices(board: Board, keys: frozenset[str], start: Positions, now: Positions) -> list[Event]:
    """Recorded gaps and alerts between two positions, with the cursor of the first."""
    cursor = encoded(start)
    events = [
        alert_event(alert, cursor) for alert in board.alerts.since(start[ALERTS], now[ALERTS])
    ]
    if isinstance(board, SeriesBoard):
        source = board.live.source
        events += [
            board.gap_event(gap, cursor)
            for gap in board.gaps
            if start[source][gap.partition] <= gap.offset < now[source][gap.partition]
            and (not keys or gap.key in keys)
        ]
    return events


def _page(log_of: Callable[[], Log], topic: str, partition: int, offset: int) -> list[Record]:
    return browse.page(log_of(), topic, partition, offset, _PAGE)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _nothing() -> None:
    """In place of an abort that the server does not offer."""
