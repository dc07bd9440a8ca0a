"""A frame that was refused once, before today's machine: what passes now.

It is heard by itself, without what came before and after it: there is no hole to see in one frame,
and no repeat. So what was refused as counted already stays refused; and a match says nothing, since
its trade came with its ticker, or when its hole was filled or given up.
"""

import msgspec

from barograph.types import DeadLetter, Fault, Frame, Tick
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.coinbase.recorded_lines import unwrap
from barograph.venues.continuity import Received
from barograph.venues.entries import Dialect, Heard, Opening
from barograph.venues.refusals import FrameRefusedError

_BEGINNING_ONLY = {Fault.TOO_LONG, Fault.TRUNCATED}


def hear_again(letter: DeadLetter, mended: bytes | None = None) -> Received:
    """Return the ticks in a letter's original, or in its mended form.

    Returns one dead letter instead while it is still refused, and neither where it has no tick. The
    dialect follows from the shape of the frame or of the recorder's line. Of a frame whose tickers
    passed in part, only those are returned that were refused.
    """
    if mended is None and letter.fault in _BEGINNING_ONLY:
        return _refused(letter, letter.fault, "only its beginning was kept")
    if mended is None and letter.fault is Fault.DUPLICATE:
        return _refused(letter, letter.fault, letter.detail)
    try:
        unwrapped = unwrap(letter.original if mended is None else mended)
    except FrameRefusedError as refused:
        return _refused(letter, refused.fault, refused.detail)
    machine = Coinbase()
    machine.take(
        Opening(
            connection=letter.source,
            dialect=unwrapped.dialect,
            continuity="none",
            event_clock=unwrapped.event_clock,
        )
    )
    received_ns = letter.receive_time_ns
    frame = Frame(
        data=unwrapped.frame,
        connection=letter.source,
        receive_time_ns=unwrapped.receive_time_ns if received_ns is None else received_ns,
    )
    received = machine.take(Heard(frame, unwrapped.dialect))
    ticks = [each for each in received.events if isinstance(each, Tick)]
    if mended is None and unwrapped.dialect is Dialect.ADVANCED:
        ticks = [tick for tick in ticks if _was_refused(letter, tick.product)]
    if not ticks and received.dead_letters:
        first = received.dead_letters[0]
        return _refused(letter, first.fault, first.detail)
    return Received(ticks)


def _was_refused(letter: DeadLetter, product: str) -> bool:
    """Whether a ticker of an Advanced Trade frame is one that the letter is about."""
    # Without a key the whole frame was refused; with one the detail names each product.
    return not letter.key or f"; {product}: " in f"; {letter.detail}"


def _refused(letter: DeadLetter, fault: Fault, detail: str) -> Received:
    return Received((), (msgspec.structs.replace(letter, fault=fault, detail=detail),))
