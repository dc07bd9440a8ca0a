"""Asking REST for the trades of a hole: pages from its newest trade down, bounded in every way."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from barograph import __version__
from barograph.inbox import AbandonedError, Inbox
from barograph.types import DeadLetter, Frame
from barograph.venues.endpoints import PAGE_TRADES, Endpoint, lowest_trade_id, trades_url
from barograph.venues.entries import Answer, Entry, Hole

MAX_BODY_BYTES = 4 << 20
TIMEOUT_S = 5.0
REQUESTS_PER_S = 5.0
"""Over all holes of a stream; the venue allows ten."""

_CHUNK_BYTES = 1 << 16


class Asked(NamedTuple):
    """All that REST says of a hole for now has been put; `problem` says what went wrong, if any."""

    hole: Hole
    problem: str = ""


Item = Entry | DeadLetter | Asked
"""What a stream puts into its inbox. A dead letter stands for a frame that was not taken in."""


class Filler:
    """Asks for several holes at once, in the running event loop, and puts what comes."""

    def __init__(
        self,
        endpoint: Endpoint,
        inbox: Inbox[Item],
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        self._rest, self._inbox = endpoint.rest, inbox
        self._fetch = fetch or Fetcher(proxies=not endpoint.local)
        self._next_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, hole: Hole) -> None:
        """Begin to ask for a hole: an Answer for each page, then an Asked."""
        task = asyncio.get_running_loop().create_task(self._ask(hole))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Leave off."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, hole: Hole) -> None:
        with suppress(AbandonedError):
            await self._inbox.put(Asked(hole, await self._pages(hole)))

    async def _pages(self, hole: Hole) -> str:
        below_id = hole.last_trade_id + 1
        while self._rest is not None and below_id > hole.first_trade_id:
            await self._turn()
            trades = min(below_id - hole.first_trade_id, PAGE_TRADES)
            url = trades_url(self._rest, hole.product, below_id, trades)
            try:
                body = await asyncio.to_thread(self._fetch, url)
            except (OSError, HTTPException) as error:
                return str(error) or type(error).__name__
            frame = Frame(data=body, connection=hole.connection, receive_time_ns=time.time_ns())
            await self._inbox.put(Answer(hole.product, frame))
            lowest_id = lowest_trade_id(body)
            if lowest_id is None or lowest_id >= below_id:
                return "a page of no use"
            below_id = lowest_id
        return ""

    async def _turn(self) -> None:
        now_s = asyncio.get_running_loop().time()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + 1 / REQUESTS_PER_S
        await asyncio.sleep(turn_s - now_s)


class Fetcher:
    """The body at an address, within TIMEOUT_S or so and MAX_BODY_BYTES; TLS is verified."""

    def __init__(self, *, proxies: bool) -> None:
        self._opener: OpenerDirector = build_opener(
            HTTPSHandler(), *([] if proxies else [ProxyHandler({})])
        )

    def __call__(self, url: str) -> bytes:
        """Raises OSError or HTTPException for whatever goes wrong, and for another status."""
        # A venue's REST refuses those who do not say who they are.
        request = Request(url, headers={"User-Agent": f"barograph/{__version__}"})  # noqa: S310
        until_s = time.monotonic() + TIMEOUT_S
        body = b""
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            while chunk := answer.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise URLError(f"more than {MAX_BODY_BYTES} bytes")
                if time.monotonic() > until_s:
                    raise URLError(f"no end after {TIMEOUT_S:g} s")
        return body
