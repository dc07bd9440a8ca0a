"""Ticks of a market with one a second, as messages for a log."""

from barograph import codec
from barograph.log.topics import TICKS
from barograph.types import NS_PER_S, Message, Tick


def ticks(n, start=0):
    """So many, the first one so many seconds after the market's begin."""
    for second in range(start, start + n):
        price = f"{100 + second % 7}.5"
        time_ns = (1_700_000_000 + second) * NS_PER_S
        tick = Tick(product="BTC-USD", event_time_ns=time_ns, price=price, bid=price, ask=price)
        yield Message(TICKS, "BTC-USD", codec.encode(tick))
