"""Ticks with numbers, as messages for a log."""

from barograph import codec
from barograph.types import Message, Tick

NS = 10**9


def ticks(n):
    """A tick a second, of two products, walking up and down."""
    return [
        Message(
            "in",
            product,
            codec.encode(
                Tick(
                    product=product,
                    event_time_ns=(1_700_000_000 + second) * NS,
                    price=f"{100 + second % 7}.5",
                    bid=f"{100 + second % 7}.5",
                    ask=f"{100 + second % 7}.6",
                )
            ),
        )
        for second in range(n)
        for product in ("BTC-USD", "ETH-USD")
    ]
