"""The simulated market as frames of the Coinbase Exchange feed, with its latent truth.

`law` defines the volatility and arrivals; here orders become trades at quotes, each with a `ticker`
frame, and each product has a `heartbeat` frame per second. Everything is a function of (model,
products, seed, start): no clock, no ambient randomness, and independent of how calls are split.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from barograph.arrays import Float64, Int64, Records
from barograph.codec import EVENT, HEARTBEAT, NAT, TICK
from barograph.compiled import compiled
from barograph.errors import BadInputError
from barograph.simulated.law import (
    LatentVolatility,
    MarketModel,
    check_model,
    generator,
    next_order,
    order_rate,
)
from barograph.simulated.tape import Beat, MarketEvent, Print, exchange_frame
from barograph.types import DAY_S, NS_PER_S, Frame, Side

START_PRICES: Mapping[str, float] = {"BTC-USD": 100_000.0, "ETH-USD": 4_000.0}
OTHER_START_PRICE = 1_000.0
INCREMENT = 0.01
"""Quote increment, as on Coinbase's USD books.

A quote's mid is the latent one rounded to half an increment, which adds (increment/price)²/6 to the
variance of a mid return: 1e-6 of it at 100,000 and 4e-5 typical volatility, 1 % at 1,000.
"""

LEAST_DELAY_S, MEAN_DELAY_S = 0.004, 0.003
LARGEST_SIZE = 100.0

_BOOK = np.dtype(
    [
        ("log_mid", "f8"),
        ("unseen_variance", "f8"),  # variance of the log mid since the last order
        ("unseen_s", "f8"),
        ("excitation", "f8"),
        ("volume_24h", "f8"),
        ("volume_30d", "f8"),
        ("bid", "i8"),
        ("ask", "i8"),
        ("high", "i8"),
        ("low", "i8"),
        ("trade_id", "i8"),
        ("sequence", "i8"),
        ("beat_s", "f8"),  # time of the heartbeat within each second
        ("side", "i8"),
    ]
)
"""State of one product's book at the end of a second; prices in increments."""

_ENTRY = np.dtype(
    [
        ("time_us", "i8"),
        ("delay_us", "i8"),
        ("product", "i8"),
        ("side", "i8"),  # of the aggressor: +1 bought, −1 sold; 0 marks a heartbeat
        ("trade_id", "i8"),
        ("sequence", "i8"),
        ("price", "i8"),
        ("bid", "i8"),
        ("ask", "i8"),
        ("bid_size_e8", "i8"),
        ("ask_size_e8", "i8"),
        ("last_size_e8", "i8"),
        ("volume_24h_e8", "i8"),
        ("volume_30d_e8", "i8"),
        ("high", "i8"),
        ("low", "i8"),
    ]
)
"""One frame before it is written; prices in increments, sizes in 1e-8."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The latent state of one product, in arrays with one entry per generated second.

    `latent` (n, 2) holds the slow and jump parts of log-variance in `second` (since 1970), from
    which `law.spike_probability` computes the true probability at that second's end. `variance` is
    the variance of the latent log mid over the second, in squared log returns.
    """

    second: Int64
    latent: Float64
    variance: Float64


class SimulatedMarket:
    """The frames of one market: a deterministic function of (model, products, seed, start_ns).

    model: `market` or `constant` of `barograph.simulated.law.PRESETS`. start_ns: epoch ns. What
    `advance` returns for so many seconds are frames, whose `data` are the lines of a recording.

    `advance(a)` then `advance(b)` gives what `advance(a + b)` gives, byte for byte. A product's
    frames depend on its name and the seed, not on the other products. Prices start at
    `START_PRICES`. Raises BadInputError for a model without a stationary law, an empty or repeated
    product, and a `start_ns` that is not a whole second.
    """

    def __init__(
        self, model: MarketModel, products: Sequence[str], seed: int, start_ns: int
    ) -> None:
        if not products or len(set(products)) < len(products) or not all(products):
            raise BadInputError(
                "simulated market", f"{list(products)} are not distinct products", "Name each once"
            )
        if start_ns % NS_PER_S or start_ns < 0:
            raise BadInputError(
                "simulated market", f"start_ns {start_ns} is within a second", "Round it"
            )
        self.model = check_model(model)
        self.products = tuple(products)
        self._seed = seed
        self._first_second = start_ns // NS_PER_S
        self._seconds = 0
        self._last_receive_us = 0
        self._latent = LatentVolatility(self.model, self.products, seed)
        self._rngs = [generator(seed, "orders", product) for product in products]
        self._books = [
            _open_book(self.model, product, rng)
            for product, rng in zip(products, self._rngs, strict=True)
        ]
        self._opens = [_written(book[0]["bid"]) for book in self._books]

    @property
    def now_ns(self) -> int:
        """End of the last generated second; later frames have no earlier event time."""
        return (self._first_second + self._seconds) * NS_PER_S

    def advance(self, seconds: int, connection: str = "simulated") -> list[Frame]:
        """Generate the frames of the next `seconds` seconds of all products, by event time.

        Receive times are non-decreasing, as on one connection: event time plus 4 ms plus an
        exponential delay with mean 3 ms. A frame takes about 0.6 kB: generate long spans in parts.
        """
        entries = self._entries(seconds)
        receive_us = entries["time_us"] + entries["delay_us"]
        if len(entries):
            receive_us[0] = max(receive_us[0], self._last_receive_us)
            receive_us = np.maximum.accumulate(receive_us)
            self._last_receive_us = int(receive_us[-1])
        return [
            Frame(
                data=exchange_frame(event),
                connection=connection,
                receive_time_ns=receive_ns,
            )
            for event, receive_ns in zip(
                self._events(entries), (receive_us * 1000).tolist(), strict=True
            )
        ]

    def events(self, seconds: int) -> Iterator[MarketEvent]:
        """Generate the events of `advance(seconds)` lazily, without frames."""
        return self._events(self._entries(seconds))

    def array(self, seconds: int) -> Records:
        """Generate the events of `advance(seconds)` as `codec.EVENT`, as the featurizer takes them.

        Products have their index among `products`; receive times are unknown.
        """
        entries = self._entries(seconds)
        events = np.zeros(len(entries), EVENT)
        events["event_time_ns"] = entries["time_us"] * 1000
        events["receive_time_ns"] = events["gap_start_ns"] = NAT
        events["kind"] = np.where(entries["side"] == 0, HEARTBEAT, TICK)
        for name in ("product", "side", "trade_id"):
            events[name] = entries[name]
        # Whole numbers of these are exact, so a quotient is the float nearest to the decimal.
        for name in ("price", "bid", "ask"):
            events[name] = entries[name] / round(1 / INCREMENT)
        for name in ("bid_size", "ask_size", "volume_24h", "last_size"):
            events[name] = entries[f"{name}_e8"] / 1e8
        return events

    def truth(self) -> dict[str, Truth]:
        """Recompute the latent state of each product over the seconds generated so far."""
        latent = LatentVolatility(self.model, self.products, self._seed)
        paths = latent.advance(self._seconds)
        return {
            product: Truth(
                second=self._first_second + np.arange(self._seconds),
                latent=path,
                variance=self.model.volatility**2 * np.exp(path.sum(axis=1)),
            )
            for product, path in zip(self.products, paths, strict=True)
        }

    def _entries(self, seconds: int) -> Records:
        """Generate the entries of the next `seconds` seconds of all products, by event time."""
        paths = self._latent.advance(seconds)
        start_us = self.now_ns // 1000
        parts = []
        for index, (book, rng) in enumerate(zip(self._books, self._rngs, strict=True)):
            entries = _trade(self.model, book, paths[index].sum(axis=1), start_us, rng)
            entries["product"] = index
            parts.append(entries)
        self._seconds += seconds
        entries = np.concatenate(parts)
        return entries[np.argsort(entries["time_us"], kind="stable")]

    def _events(self, entries: Records) -> Iterator[MarketEvent]:
        for entry in entries.tolist():
            (time_us, _, index, side, trade_id, sequence, price, bid, ask, bid_size, ask_size) = (
                entry[:11]
            )
            product, time_ns = self.products[index], time_us * 1000
            if not side:
                yield Beat(product, time_ns, trade_id, sequence)
                continue
            (last_size, volume_24h, volume_30d, high, low) = entry[11:]
            yield Print(
                product,
                time_ns,
                trade_id,
                sequence,
                price=_written(price),
                bid=f"{bid // 100}.{bid % 100:02d}",
                ask=f"{ask // 100}.{ask % 100:02d}",
                size=_written(last_size, 8),
                side=Side.BUY if side > 0 else Side.SELL,
                bid_size=f"{bid_size // 10**8}.{bid_size % 10**8:08d}",
                ask_size=f"{ask_size // 10**8}.{ask_size % 10**8:08d}",
                volume_24h=f"{volume_24h // 10**8}.{volume_24h % 10**8:08d}",
                open_24h=self._opens[index],
                low_24h=_written(low),
                high_24h=_written(high),
                volume_30d=f"{volume_30d // 10**8}.{volume_30d % 10**8:08d}",
            )


def _written(number: int, places: int = 2) -> str:
    """Format a decimal as Coinbase does prices and trade sizes: without trailing zeros."""
    whole, rest = divmod(number, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0") if rest else str(whole)


def _open_book(model: MarketModel, product: str, rng: np.random.Generator) -> Records:
    """The book before the first second, after a day of mean trading."""
    price = START_PRICES.get(product, OTHER_START_PRICE)
    mean_size = np.exp(model.size_log_mean + model.size_log_std**2 / 2)
    daily_volume = min(DAY_S * model.trades_per_s() * mean_size, 1e6)
    book = np.zeros(1, _BOOK)
    book["log_mid"] = np.log(price)
    book["excitation"] = (
        model.order_rate_per_s * model.branching / (1 - model.branching) / model.excitation_time_s
    )
    book["volume_24h"] = daily_volume
    book["volume_30d"] = 30 * daily_volume
    book["bid"] = round(price / INCREMENT)
    book["ask"] = book["bid"] + 1
    book["high"] = round(1.01 * price / INCREMENT)
    book["low"] = round(0.99 * price / INCREMENT)
    book["trade_id"] = rng.integers(10**8, 10**9)
    book["sequence"] = rng.integers(10**10, 10**11)
    book["beat_s"] = rng.random()
    book["side"] = 1
    return book


@compiled
def _trade(
    model: MarketModel,
    books: Records,
    deviations: Float64,
    start_us: int,
    rng: np.random.Generator,
) -> Any:
    """Generate one product's entries for `len(deviations)` seconds and advance `books[0]`."""
    book = books[0]
    entries = np.empty(8 * len(deviations) + 64, _ENTRY)
    n = 0
    for i in range(len(deviations)):
        variance = model.volatility**2 * np.exp(deviations[i])
        base = order_rate(model, deviations[i])
        widening = min(model.spread_tail * np.exp(deviations[i] / 2), 0.9)
        now, beating, ordered = 0.0, True, True
        while ordered:
            left_s = 1.0 - now
            wait, book.excitation = next_order(
                base, book.excitation, model.excitation_time_s, left_s, rng
            )
            ordered = wait < left_s
            now += wait
            if beating and (now >= book.beat_s or not ordered):
                beating = False
                n, entries = _room(entries, n)
                time_us = start_us + i * 1_000_000 + int(book.beat_s * 1e6)
                _note(book, entries[n - 1], time_us, 0, rng)
            book.unseen_variance += variance * wait
            book.unseen_s += wait
            trades = 0
            if ordered:
                book.excitation += model.branching / model.excitation_time_s
                _move(model, book, widening, rng)
                trades = 1
                while rng.random() < model.sweep:
                    trades += 1
            for _ in range(trades):
                n, entries = _room(entries, n)
                time_us = start_us + i * 1_000_000 + min(int(now * 1e6), 999_999)
                _note(book, entries[n - 1], time_us, book.side, rng)
                _fill(model, book, entries[n - 1], rng)
    return entries[:n]


@compiled
def _room(entries: Records, n: int) -> Any:
    """(n + 1, entries, enlarged if full)."""
    if n < len(entries):
        return n + 1, entries
    larger = np.empty(2 * n, _ENTRY)
    larger[:n] = entries
    return n + 1, larger


@compiled
def _move(model: MarketModel, book: Any, widening: float, rng: np.random.Generator) -> None:
    """Advance the book to an order: diffuse the mid, draw the spread and the order's side."""
    book.log_mid += np.sqrt(book.unseen_variance) * rng.standard_normal()
    book.volume_24h *= np.exp(-book.unseen_s / DAY_S)
    book.volume_30d *= np.exp(-book.unseen_s / (30 * DAY_S))
    book.unseen_variance = 0.0
    book.unseen_s = 0.0
    spread = 1
    while rng.random() < widening:
        spread += 1
    book.bid = max(round(np.exp(book.log_mid) / INCREMENT - spread / 2), 1)
    book.ask = book.bid + spread
    if rng.random() >= model.side_persistence:
        book.side = -book.side


@compiled
def _note(book: Any, entry: Any, time_us: int, side: int, rng: np.random.Generator) -> None:
    """Fill the fields of every frame. Trades get the next id; `sequence` is the full channel's."""
    book.sequence += 1 + int(20 * rng.standard_exponential())
    if side:
        book.trade_id += 1
    entry.time_us = time_us
    entry.delay_us = int(1e6 * (LEAST_DELAY_S + MEAN_DELAY_S * rng.standard_exponential()))
    entry.side = side
    entry.trade_id = book.trade_id
    entry.sequence = book.sequence


@compiled
def _fill(model: MarketModel, book: Any, entry: Any, rng: np.random.Generator) -> None:
    """Fill one trade at the aggressor's side of the quote, and the quote's sizes after it."""
    entry.price = book.ask if book.side > 0 else book.bid
    book.high = max(book.high, entry.price)
    book.low = min(book.low, entry.price)
    entry.last_size_e8 = _size_e8(model.size_log_mean, model.size_log_std, rng)
    book.volume_24h += entry.last_size_e8 / 1e8
    book.volume_30d += entry.last_size_e8 / 1e8
    entry.bid, entry.ask, entry.high, entry.low = book.bid, book.ask, book.high, book.low
    entry.bid_size_e8 = _size_e8(model.size_log_mean + 2.0, model.size_log_std, rng)
    entry.ask_size_e8 = _size_e8(model.size_log_mean + 2.0, model.size_log_std, rng)
    entry.volume_24h_e8 = int(book.volume_24h * 1e8)
    entry.volume_30d_e8 = int(book.volume_30d * 1e8)


@compiled
def _size_e8(log_mean: float, log_std: float, rng: np.random.Generator) -> Any:
    """A log-normal size, in 1e-8, from 1e-8 to `LARGEST_SIZE`."""
    size = min(np.exp(log_mean + log_std * rng.standard_normal()), LARGEST_SIZE)
    return max(int(size * 1e8), 1)
