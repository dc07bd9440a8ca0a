"""Which trade ids of a line are believed: of ticks, of heartbeats, of matches.

An id contradicts its line when it leaps further ahead than trades can come, when it goes back
while the event time goes on, or when it stands still and tells another trade. A tick like that is
refused and breaks the line, for its quote is lost; a real repeat, and a ticker that is only late,
has an event time from before.
"""

from decimal import Decimal

from barograph.types import Fault, GapCause, Heartbeat, Tick, Trade
from barograph.venues.continuity_state import ProductContinuity
from barograph.venues.entries import Opening
from barograph.venues.event_times import is_late, late
from barograph.venues.numbers import BEAT_NS, MOST_PER_S, doubted, may_follow
from barograph.venues.refusals import FrameRefusedError


def believe_tick(tick: Tick, trade_id: int, line: ProductContinuity, opening: Opening) -> bool:
    """Whether the line counts anew from a tick; False where its id belongs to the known count.

    Raises FrameRefusedError for a repeat and, while it is doubted, an id that contradicts the line.
    """
    known = line.trade_id
    stands_still = tells_another(tick, line.tick, opening)
    if line.connection != tick.connection:
        if stands_still or _is_news(trade_id, tick.event_time_ns, line, opening):
            line.believe(trade_id, GapCause.TRADE_ID)
            return True
        return _believe_moved(trade_id, tick.event_time_ns, line, GapCause.TRADE_ID)
    if known is None or opening.recorded:
        return known is not None and _believe_recorded(tick, trade_id, line, stands_still)
    settled = line.settled_trade_id is not None and trade_id <= line.settled_trade_id
    if (
        not stands_still
        and not settled
        and may_follow(trade_id, known, tick.event_time_ns - line.last_ns)
    ):
        line.doubt = line.beat_doubt = None
        return False
    counted = settled or goes_back(trade_id, line.tick)
    time_ns = tick.event_time_ns if counted else tick.event_time_ns - BEAT_NS
    if not stands_still and trade_id <= known and not _is_fresh(trade_id, time_ns, line, opening):
        if counted:
            raise FrameRefusedError(
                Fault.DUPLICATE,
                f"trade {trade_id} comes late or again: counted already",
                tick.product,
            )
        return False
    line.doubt = doubted(line.doubt, trade_id, tick.event_time_ns)
    if not line.doubt.confirmed:
        line.break_off(GapCause.REFUSED)
        raise _implausible(f"trade {trade_id}", known, tick.product)
    line.believe(trade_id, GapCause.REFUSED)
    return True


def _believe_recorded(
    tick: Tick, trade_id: int, line: ProductContinuity, stands_still: bool
) -> bool:
    """Whether the line of a recording counts anew from a tick; no news is refused for its id.

    Raises FrameRefusedError for a tick that was heard, and for one whose second is closed.
    """
    known, last = line.trade_id, line.tick
    settled = line.settled_trade_id is not None and trade_id <= line.settled_trade_id
    follows = may_follow(trade_id, known or 0, tick.event_time_ns - line.last_ns)
    line.doubt = line.beat_doubt = None
    if not stands_still and not settled and follows:
        return False
    elapsed_ns = 0 if last is None else tick.event_time_ns - last.event_time_ns
    heard = line.since_trade_id is None or trade_id >= line.since_trade_id
    back = trade_id <= (known or 0)
    if settled or (back and heard and elapsed_ns < 0):
        raise FrameRefusedError(
            Fault.DUPLICATE,
            f"trade {trade_id} comes late or again: counted already",
            tick.product,
        )
    if back and not stands_still and not goes_back(trade_id, last):
        return False  # a heartbeat named it already
    if is_late(tick.event_time_ns, line):
        line.break_off(GapCause.REFUSED, 1)
        raise late(tick.event_time_ns, line, tick.product)
    if back and not stands_still and elapsed_ns <= 0:
        # Not after the last tick, so the count goes on behind that; perhaps it was in a hole.
        line.break_off(GapCause.TRADE_ID)
        return False
    line.believe(trade_id, GapCause.TRADE_ID)
    return True


def believe_beat(
    beat: Heartbeat, last_trade_id: int, line: ProductContinuity, opening: Opening
) -> bool:
    """Whether the line counts anew from the id that a heartbeat names.

    Raises FrameRefusedError for an id in doubt, which proves no quiet second.
    """
    known = line.trade_id
    if line.connection != beat.connection:
        return _believe_moved(last_trade_id, beat.event_time_ns, line, GapCause.HEARTBEAT)
    if known is None:
        return False
    if may_follow(last_trade_id, known, beat.event_time_ns - line.last_ns):
        line.beat_doubt = None
        return False
    if last_trade_id <= known and not _is_fresh(last_trade_id, beat.event_time_ns, line, opening):
        return False
    line.beat_doubt = doubted(line.beat_doubt, last_trade_id, beat.event_time_ns)
    if not line.beat_doubt.confirmed and not opening.recorded:
        raise _implausible(f"last_trade_id {last_trade_id}", known, beat.product)
    line.believe(last_trade_id, GapCause.HEARTBEAT)
    return True


def check_match(trade: Trade, line: ProductContinuity, opening: Opening) -> None:
    """Raise FrameRefusedError for a match whose id is known and whose trade is news.

    The ids stand still or began again, so the next of them proves nothing: the line is broken.
    """
    known = line.trade_id
    if known is None or trade.trade_id > known:
        return
    last = line.tick
    if last is not None and last.trade_id == trade.trade_id:
        fresh = tells_otherwise(trade, last)
    else:
        fresh = _is_news(trade.trade_id, trade.event_time_ns, line, opening)
    if fresh:
        line.contradict()
        raise _implausible(f"a match of trade {trade.trade_id}", known, trade.product)


def check_leap(trade: Trade, line: ProductContinuity) -> None:
    """Raise FrameRefusedError for a trade that leaps ahead of its line: it would wait for ever."""
    known = line.trade_id
    if (
        known is not None
        and trade.trade_id > known
        and not may_follow(trade.trade_id, known, trade.event_time_ns - line.last_ns)
    ):
        raise _implausible(f"trade {trade.trade_id}", known, trade.product)


def _believe_moved(number: int, time_ns: int, line: ProductContinuity, cause: GapCause) -> bool:
    """On another connection an id may go back; how many a leap ahead misses is not known.

    Nor is it where the count was in doubt before.
    """
    doubted_before = line.doubt is not None or line.beat_doubt is not None
    line.doubt = line.beat_doubt = None
    known = line.trade_id
    if known is None:
        return False
    follows = number <= known or may_follow(number, known, time_ns - line.last_ns)
    if follows and not doubted_before:
        return False
    line.believe(number, cause)
    return True


def tells_another(tick: Tick, last: Tick | None, opening: Opening) -> bool:
    """Whether a tick names the last tick's trade and tells another one."""
    same = last is not None and tick.trade_id is not None and tick.trade_id == last.trade_id
    if last is None or not same or opening.continuity != "trade_id":
        return False
    if tells_otherwise(tick, last) or _traded_more(tick, last):
        return True
    return opening.event_clock == "venue" and tick.event_time_ns > last.event_time_ns


def repeats(tick: Tick, last: Tick) -> bool:
    """Whether a tick has the number and the quote of the last one."""
    if tick.trade_id is not None:
        same = tick.trade_id == last.trade_id
    elif tick.sequence is not None:
        same = tick.sequence == last.sequence
    else:
        same = tick.event_time_ns == last.event_time_ns and tick.volume_24h == last.volume_24h
    return (
        same
        and tick.price == last.price
        and tick.bid == last.bid
        and tick.ask == last.ask
        and tick.bid_size == last.bid_size
        and tick.ask_size == last.ask_size
    )


def is_same(tick: Tick, last: Tick, opening: Opening, *, moved: bool) -> bool:
    """Whether a tick of the last one's number and quote is its repeat, and no other trade's.

    A repeat may be stamped anew on one connection; behind a reconnect its time has to be the same.
    """
    if tick.trade_id is None or opening.continuity != "trade_id":
        return True
    return not (tells_another(tick, last, opening) if moved else tells_otherwise(tick, last))


def tells_otherwise(trade: Tick | Trade, known: Tick | Trade) -> bool:
    """Whether a trade differs from what is known of its id; 1.0 and 1.00 are the same."""
    size, known_size = _size(trade), _size(known)
    return _differ(trade.price, known.price) or (
        size is not None and known_size is not None and _differ(size, known_size)
    )


def _traded_more(tick: Tick, last: Tick) -> bool:
    """Whether the volume of 24 hours grew by more than the trade that both tell."""
    sizes = tick.volume_24h, last.volume_24h, last.last_size
    if None in sizes:
        return False
    now, before, size = (Decimal(text) for text in sizes if text is not None)
    return now > before + size


def _is_news(trade_id: int, time_ns: int, line: ProductContinuity, opening: Opening) -> bool:
    """Whether a trade under a known id happened after all that was heard."""
    known = line.trade_id is not None and trade_id <= line.trade_id
    return known and opening.event_clock == "venue" and time_ns > line.last_ns + BEAT_NS


def _differ(one: str, other: str) -> bool:
    return one != other and Decimal(one) != Decimal(other)


def _size(trade: Tick | Trade) -> str | None:
    return trade.size if isinstance(trade, Trade) else trade.last_size


def _is_fresh(number: int, time_ns: int, line: ProductContinuity, opening: Opening) -> bool:
    """Whether an id that goes back comes with news, so that it is no repeat and not only late."""
    if opening.event_clock == "venue" or line.trade_id is None:
        return time_ns > line.last_ns
    # Recorders stamp repeats anew, so only how far the id goes back tells them.
    return line.trade_id - number > MOST_PER_S


def is_behind(tick: Tick, last: Tick | None, opening: Opening) -> bool:
    """Whether a tick that passed stands before the last one of a recording, by its id."""
    counts = opening.recorded and opening.continuity == "trade_id"
    return counts and goes_back(tick.trade_id, last)


def goes_back(trade_id: int | None, last: Tick | None) -> bool:
    """Whether an id is below the last tick's, not only below one that a heartbeat named ahead."""
    known = None if last is None else last.trade_id
    return trade_id is not None and known is not None and trade_id < known


def _implausible(what: str, known: int, product: str) -> FrameRefusedError:
    return FrameRefusedError(
        Fault.IMPLAUSIBLE, f"{what} cannot follow trade {known}: more have to confirm it", product
    )
