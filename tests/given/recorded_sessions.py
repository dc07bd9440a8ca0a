"""Recordings of one product as tests invent them: ids and times that run on together."""

import random

from barograph.times import format_time
from barograph.types import NS_PER_S
from coinbase_messages import START, ticker


def session(start_s, seconds, seed=1, *, step_s=1.0, **changes):
    """The messages of a recording: about a tick each `step_s`, from `start_s` after START on."""
    draw = random.Random(seed)
    at_s, messages = float(start_s), []
    while at_s < start_s + seconds:
        price = 100 + round(draw.uniform(0, 1), 2)
        message = ticker(
            time=format_time(START + int(at_s * NS_PER_S)),
            trade_id=start_s * 100 + len(messages),
            price=f"{price:.2f}",
            best_bid=f"{price - 0.01:.2f}",
            best_ask=f"{price:.2f}",
            last_size=f"{draw.uniform(0.1, 1):.3f}",
        )
        messages.append(message | changes)
        at_s += draw.uniform(0.1, 2 * step_s)
    return messages
