"""A service of candles without a socket: the simulated exchange's own, behind a client."""

from random import Random
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from barograph.candle_records import HOUR_S
from barograph.feed.candle_client import CandleClient
from barograph.rest import AnswerError
from barograph.simulated.candle_history import CandleHistory
from barograph.simulated.candles_endpoint import CandlesEndpoint
from barograph.venues import cryptocompare
from barograph.venues.coinbase import candles as coinbase

END_S = 1_749_999_600
"""Where the invented hours end."""

SERVICES = {"coinbase": coinbase, "cryptocompare": cryptocompare}


class KilledError(BaseException):
    """The process ends here."""


class Service:
    """Hours up to `END_S` and their faults; `urls` are those that were asked for."""

    def __init__(self, name, *faults, product="BTC-USD", quiet=range(0)):
        """quiet: the opens of hours in which nothing was traded."""
        # Pages as short as Coinbase's, so that a few hundred hours are several.
        self.module = SimpleNamespace(**{**vars(SERVICES[name]), "PAGE_HOURS": coinbase.PAGE_HOURS})
        self.urls = []
        history = CandleHistory({product: 100_000.0}, END_S * 10**9, 1)
        bars = history.bars
        history.bars = lambda *span: [bar for bar in bars(*span) if bar.start_s not in quiet]
        self.endpoint = CandlesEndpoint(history, faults)
        self._now_s = 0.0

    def client(self, dies_at=None):
        """A client whose clock stands; with `dies_at` it is killed in its so many-th request."""
        started = len(self.urls)

        async def fetch(url):
            self.urls.append(url)
            if dies_at is not None and len(self.urls) - started >= dies_at:
                raise KilledError
            parts = urlsplit(url)
            answer = self.endpoint.answer(parts.path, parse_qs(parts.query), "", END_S * 10**9)
            if answer.status != 200:
                wait_s = answer.headers.get("Retry-After")
                raise AnswerError(
                    f"HTTP status {int(answer.status)}", answer.status, wait_s and float(wait_s)
                )
            return answer.body

        return CandleClient(
            self.module, "http://h", "", proxies=False, wait=self._wait, random=Random(1),
            monotonic=lambda: self._now_s, clock_ns=lambda: (END_S + 90_000) * 10**9, fetch=fetch,
        )  # fmt: skip

    def _wait(self, seconds):
        self._now_s += seconds

    def hours_asked(self):
        """The opens of all hours that were asked for, as often as they were."""
        hours = []
        for url in self.urls:
            query = parse_qs(urlsplit(url).query)
            if "toTs" in query:
                last_s, n = int(query["toTs"][0]), int(query["limit"][0])
                hours += range(last_s - n * HOUR_S, last_s + HOUR_S, HOUR_S)
        return hours
