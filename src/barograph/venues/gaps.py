"""The gap that an event ends, and whether there is one at all."""

from collections.abc import Iterable, Sequence

from barograph.types import NS_PER_S, Gap, GapCause, Heartbeat, Tick, Trade
from barograph.venues.continuity_state import ProductContinuity


def gap_of(  # noqa: PLR0913 - the fields of a gap
    product: str,
    line: ProductContinuity,
    time_ns: int,
    cause: GapCause,
    missing: int | None,
    receipt: tuple[str, int | None],
    trades: Sequence[Trade] = (),
) -> Gap:
    """Return the gap of a product from what its line heard to `time_ns`, with what filled it.

    receipt: the connection that brought its end, and when.
    """
    # Where event time went back the hole still lies between the two records.
    return Gap(
        product=product,
        start_ns=min(line.last_ns, time_ns),
        end_ns=max(line.last_ns, time_ns),
        cause=cause,
        connection=receipt[0],
        receive_time_ns=receipt[1],
        missing=missing,
        filled=len(trades),
    )


def in_its_second(trades: Iterable[Trade], event: Tick | Heartbeat) -> bool:
    """Whether the trades lie in the event's second: a quote can still come for its close."""
    second = event.event_time_ns // NS_PER_S
    return all(trade.event_time_ns // NS_PER_S == second for trade in trades)
