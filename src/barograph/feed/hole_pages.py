"""Asking REST for the trades of a hole: pages from its newest trade down, bounded in every way."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from barograph.feed.hole_asks import HOLD_FOR_S, TRY_FOR_S
from barograph.feed.inbox import AbandonedError, Inbox
from barograph.rest import AnswerError, Rest
from barograph.types import DeadLetter, Frame
from barograph.venues.coinbase.endpoints import (
    PAGE_TRADES,
    Endpoint,
    lowest_trade_id,
    trades_url,
)
from barograph.venues.entries import Answer, Entry, Hole
from barograph.wire import reason_of

REQUESTS_PER_S = 5.0
"""Over all holes of a stream; the venue allows ten."""

REQUESTS_AT_ONCE = 8
"""Under way at one time; each may hold one body."""

SPARE_PAGES = 2
"""Beyond those that a hole needs when each page is full."""


class Asked(NamedTuple):
    """All that REST says of a hole for now has been put; `problem` says what went wrong, if any."""

    hole: Hole
    problem: str = ""


class Trouble(NamedTuple):
    """Why a connection could not be made again, or was given up by us. The stream tries again."""

    why: str


Item = Entry | DeadLetter | Asked | Trouble
"""What a stream puts into its inbox. A dead letter stands for a frame that was not taken in."""


class Filler:
    """Asks for several holes at once, in the running event loop, and puts what comes.

    An Asked follows each `ask`, whatever a server does, `hold_for_s` later at the latest.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        inbox: Inbox[Item],
        fetch: Callable[[str], Awaitable[bytes]] | None = None,
        *,
        hold_for_s: float = HOLD_FOR_S,
    ) -> None:
        self._rest, self._inbox, self._hold_for_s = endpoint.rest, inbox, hold_for_s
        self._fetch = fetch or Rest(proxies=not endpoint.local).get
        self._next_s = 0.0
        self._turns, self._room = asyncio.Lock(), asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, hole: Hole, for_s: float = TRY_FOR_S) -> None:
        """Start to request a hole: puts an Answer for each page, then an Asked.

        for_s: how long, in seconds from the first request on.
        """
        task = asyncio.get_running_loop().create_task(self._ask(hole, for_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Cancel all requests that are under way."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, hole: Hole, for_s: float) -> None:
        # Whatever ends the request is reported as a problem: nothing may keep the hole open.
        (outcome,) = await asyncio.gather(self._held(hole, for_s), return_exceptions=True)
        if isinstance(outcome, AbandonedError):
            return
        problem = outcome if isinstance(outcome, str) else reason_of(outcome)
        with suppress(AbandonedError):
            await self._inbox.put(Asked(hole, problem))

    async def _held(self, hole: Hole, for_s: float) -> str:
        try:
            async with asyncio.timeout(self._hold_for_s):
                return await self._pages(hole, for_s)
        except TimeoutError:
            return f"there was no turn for it within {self._hold_for_s:g} s"

    async def _pages(self, hole: Hole, for_s: float) -> str:
        if self._rest is None:
            return ""
        below_id, ends_s = hole.last_trade_id + 1, None
        pages = -(-(below_id - hole.first_trade_id) // PAGE_TRADES) + SPARE_PAGES
        for _ in range(pages):
            trades = min(below_id - hole.first_trade_id, PAGE_TRADES)
            url = trades_url(self._rest, hole.product, below_id, trades)
            async with self._room:
                await self._turn()
                now_s = asyncio.get_running_loop().time()
                ends_s = now_s + for_s if ends_s is None else ends_s
                try:
                    async with asyncio.timeout_at(ends_s):
                        body = await self._fetch(url)
                except TimeoutError as error:
                    return str(error) or f"no whole answer within {for_s:g} s"
                except AnswerError as error:
                    return str(error)
            frame = Frame(data=body, connection=hole.connection, receive_time_ns=time.time_ns())
            await self._inbox.put(Answer(hole.product, frame), len(body))
            lowest_id = lowest_trade_id(body)
            if lowest_id is None or lowest_id >= below_id:
                return "a page of no use"
            below_id = lowest_id
            if below_id <= hole.first_trade_id:
                return ""
        return f"more than {pages} pages for {hole.last_trade_id - hole.first_trade_id + 1} trades"

    async def _turn(self) -> None:
        async with self._turns:
            clock = asyncio.get_running_loop().time
            await asyncio.sleep(max(self._next_s - clock(), 0.0))
            self._next_s = clock() + 1 / REQUESTS_PER_S
