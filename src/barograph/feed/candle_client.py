"""Asking a service for pages of candles: paced, and again with back-off until an answer is of use.

The key of an account goes into a header of the request alone: never into an address, an error, a
log line or the archive.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Protocol

import msgspec

from barograph.candle_records import CandleSource
from barograph.errors import BadInputError
from barograph.feed.backoff import Backoff
from barograph.rest import AnswerError, Rest
from barograph.venues.candle_pages import CandlePage, Hours, PageError, RefusedError
from barograph.wire import Loop, reason_of, shown

MAX_PAGE_BYTES = 2 << 20
"""A page of 2,000 hours takes a fifth of it."""

ANSWER_S = 20.0
"""How long one answer may take."""

MAX_TRIES = 8
"""Requests for one page; the waits between them add up to a minute at most, unless asked for."""

MAX_RETRY_AFTER_S = 300.0
"""A service that asks for a longer wait is not waited for."""

REQUESTS_PER_S = 3.0
_LOOK_S = 0.1
_GONE = {400, 401, 403, 404}


class Service(Protocol):
    """A service of candles: the modules of `venues` that have its addresses and read its pages."""

    NAME: CandleSource
    URL: str
    PAGE_HOURS: int
    LEAVES_OUT_EMPTY: bool

    def url_of(self, base: str, product: str, hours: Hours) -> str:
        """The address of a page."""

    def headers_of(self, key: str, /) -> tuple[tuple[str, str], ...]:
        """The headers with an account's key."""

    def read(self, body: bytes, hours: Hours) -> CandlePage:
        """The page that a body is. Raises PageError."""


class StoppedError(Exception):
    """The caller asked to stop while a page was waited for."""


class Fetched(msgspec.Struct, frozen=True):
    """A page, the body that it was read from, and when that was received."""

    page: CandlePage
    body: bytes
    receive_time_ns: int


class CandleClient:
    """Asks one service for pages. Not thread-safe.

    base: the service's address without a path. wait: sleeps for so many seconds, or less where the
    caller is to stop; stop: whether it is.
    `requests` counts all that were sent, `failures` those of no use by their reason.
    """

    def __init__(  # noqa: PLR0913 - the service, its account, and a shell's clock and network
        self,
        service: Service,
        base: str,
        key: str,
        *,
        proxies: bool,
        wait: Callable[[float], object] = time.sleep,
        stop: Callable[[], bool] = lambda: False,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        fetch: Callable[[str], Awaitable[bytes]] | None = None,
    ) -> None:
        self._service, self._base = service, base.rstrip("/")
        self._wait, self._stop = wait, stop
        self._clock_ns, self._monotonic = clock_ns, monotonic
        self._random = random or Random()  # noqa: S311 - jitter is no secret
        self._key = key
        headers = service.headers_of(key)
        rest = Rest(proxies=proxies)
        self._fetch = fetch or (lambda url: rest.get(url, MAX_PAGE_BYTES, headers))
        self._next_s = monotonic()
        self.requests = 0
        self.failures: Counter[str] = Counter()

    def url(self, product: str, hours: Hours) -> str:
        """The address of a page, which holds no key."""
        return self._service.url_of(self._base, product, hours)

    def page(
        self, product: str, hours: Hours, check: Callable[[CandlePage], None] = lambda _page: None
    ) -> Fetched:
        """Ask for a page until an answer is of use.

        check: raises PageError for a page that cannot be what was asked for.
        Raises StoppedError where the caller is to stop, and BadInputError where the service refuses
        for good, asks for too long a wait, or MAX_TRIES answers were of no use.
        """
        url = self.url(product, hours)
        backoff = Backoff(self._random, first_s=0.5, cap_s=15.0)
        why = ""
        for _ in range(MAX_TRIES):
            self._pause(self._next_s - self._monotonic())
            self._next_s = self._monotonic() + 1 / REQUESTS_PER_S
            self.requests += 1
            wait_s = None
            try:
                body = self._body(url)
                page = self._service.read(body, hours)
                check(page)
            except AnswerError as error:
                if error.status in _GONE:
                    raise self._refused(f"{error} for {product}") from None
                why, wait_s = str(error), error.retry_after_s
            except PageError as error:
                why = shown(self._without_key(str(error)))
                if isinstance(error, RefusedError) and not error.limited:
                    raise self._refused(why) from None
            except OSError as error:  # a TimeoutError too
                why = reason_of(error)
            else:
                return Fetched(page, body, self._clock_ns())
            self.failures[why] += 1
            if wait_s is not None and wait_s > MAX_RETRY_AFTER_S:
                raise self._refused(f"it asks to be left alone for {wait_s:,.0f} s")
            self._pause(max(backoff.next_s(), wait_s or 0.0))
        raise self._refused(f"{MAX_TRIES} answers were of no use, the last: {why}")

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._wait(seconds)
        if self._stop():
            raise StoppedError

    def _body(self, url: str) -> bytes:
        async def answered() -> bytes:
            async with asyncio.timeout(ANSWER_S):
                fetching = asyncio.ensure_future(self._fetch(url))
                try:
                    while not fetching.done():
                        await asyncio.wait([fetching], timeout=_LOOK_S)
                        if self._stop():
                            raise StoppedError
                    return fetching.result()
                finally:
                    fetching.cancel()

        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(answered())

    def _without_key(self, text: str) -> str:
        """The text of a stranger, which may repeat the key."""
        return text.replace(self._key, "…") if self._key else text

    def _refused(self, why: str) -> BadInputError:
        return BadInputError(
            f"{self._service.NAME} at {shown(self._base)}",
            why,
            "Run the same command again later, it goes on from there; or check --product, --url, "
            "--source and the key",
        )
