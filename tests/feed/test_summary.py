"""What one run of a feed took and gave."""

from barograph.feed.summary import Summary
from barograph.types import Gap, GapCause, Heartbeat, Tick, Trade


def test_a_summary_counts_what_there_was():
    summary = Summary()
    gap = Gap(product="B", start_ns=0, end_ns=9, cause=GapCause.SILENCE, missing=2)
    trade = Trade(
        product="B", trade_id=1, event_time_ns=5, price="1", size="1", side=None, filled=True
    )
    tick = Tick(product="B", event_time_ns=7, price="1", bid="1", ask="1")
    for event in (gap, trade, tick, Heartbeat(product="B", event_time_ns=3)):
        summary.count(event)
    summary.finish(0.5)
    assert summary.line() == "1 ticks, 1 heartbeats, 1 gaps, 0 dead letters"
    assert (summary.trades, summary.filled, summary.missing) == (1, 1, 2)
    assert (summary.first_event_time_ns, summary.last_event_time_ns) == (3, 7)
    assert summary.ticks_per_s == 2.0
