"""A gap lies between what was heard and the event that ends it, whichever way the time goes."""

from barograph.types import GapCause, Heartbeat, Trade
from barograph.venues.continuity_state import ProductContinuity
from barograph.venues.gaps import gap_of, in_its_second

S = 1_000_000_000


def trade(time_ns):
    return Trade(
        product="A-B",
        event_time_ns=time_ns,
        price="1",
        size="1",
        side="buy",
        trade_id=1,
        connection="c",
    )


def test_a_gap_never_ends_before_it_begins():
    line = ProductContinuity("c", 5 * S)
    for time_ns in (9 * S, 2 * S):
        gap = gap_of("A-B", line, time_ns, GapCause.TRADE_ID, 3, ("d", 7), [trade(6 * S)])
        assert (gap.start_ns, gap.end_ns) == tuple(sorted((5 * S, time_ns)))
        assert (gap.connection, gap.receive_time_ns) == ("d", 7)
        assert (gap.missing, gap.filled) == (3, 1)


def test_trades_of_its_second_can_still_get_their_quote():
    beat = Heartbeat(product="A-B", event_time_ns=5 * S + 9, connection="c")
    assert in_its_second([trade(5 * S), trade(6 * S - 1)], beat)
    assert not in_its_second([trade(5 * S), trade(5 * S - 1)], beat)
