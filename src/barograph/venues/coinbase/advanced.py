"""Coinbase Advanced Trade as a machine: frames of its websocket feed in, events out."""

from collections.abc import Container
from contextlib import suppress
from typing import Literal

import msgspec

from barograph.codec import UNREADABLE
from barograph.types import DeadLetter, Event, Fault, Frame, GapCause, Heartbeat, Tick
from barograph.venues.coinbase.dialect_machine import (
    DialectMachine,
    refusal,
    refused_by_venue,
    subscribed,
)
from barograph.venues.coinbase.frames import (
    ADVANCED_CHANNELS,
    AdvancedMessage,
    AdvancedTicker,
    HeartbeatsChannel,
    SubscriptionsChannel,
    TickerChannel,
    decode_advanced,
    with_plain_prices,
)
from barograph.venues.continuity import Notice, Received
from barograph.venues.continuity_state import Connection
from barograph.venues.entries import Dialect, Opening
from barograph.venues.numbers import doubted, may_follow
from barograph.venues.refusals import (
    FrameRefusedError,
    check_quote,
    fault_of,
    fields,
    require_utf8,
    with_numbers_as_text,
)


class AdvancedTrade(DialectMachine):
    """Coinbase Advanced Trade: an envelope with `channel`, `timestamp`, `sequence_num`, `events`.

    Holes: `sequence_num` jumps (it counts all frames of one connection; `missing` is in frames and
    each product of the connection gets a gap), where there is none the heartbeat counter, silence,
    lost connections, and refused tickers, of which no number tells here. A frame whose number was
    passed already is a repeat, unless the numbers start anew: then the connection was replaced
    unseen. In a recording several connections may have been written into one file: see
    `regimes.Regimes`. Ticks carry the envelope's time and no side.
    Source: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket.
    """

    dialect = Dialect.ADVANCED

    def receive(self, frame: Frame) -> Received:
        """Return the frame's events in order and at most one dead letter of its own."""
        connection = self._connection(frame)
        events: list[Event] = []
        letters: list[DeadLetter] = []
        notices: tuple[Notice, ...] = ()
        try:
            require_utf8(frame.data)
            try:
                message = decode_advanced(frame.data)
            except msgspec.ValidationError:
                message = decode_advanced(with_numbers_as_text(frame.data))
            if type(message) is SubscriptionsChannel:
                notices = (subscribed(message.products(), self._continuity.book),)
            time_ns = self._time_and_count(message, frame, connection)
            if time_ns is None:
                return Received((), (), notices)
            connection.last_ns = max(time_ns, connection.last_ns or time_ns)
            if type(message) is HeartbeatsChannel:
                self._count_beats(message, connection)
            within = self._counting(connection, message.sequence_num)
            receipt = frame.connection, time_ns, frame.receive_time_ns
            events += self._continuity.mend(*receipt, within)
            if type(message) is TickerChannel:
                self._tickers(message, frame, time_ns, connection.opening, (events, letters))
            elif type(message) is HeartbeatsChannel:
                self._heartbeats(frame, time_ns, connection.opening, events, within)
        except FrameRefusedError as refused:
            return Received(events, (*letters, refusal(frame, connection, refused)), notices)
        except UNREADABLE as error:
            fault, detail = fault_of(frame.data, error, "channel", ADVANCED_CHANNELS)
            self._count_unread(frame, connection)
            unread = FrameRefusedError(fault, detail)
            letter = refusal(frame, connection, unread)
            return Received((), (letter,), refused_by_venue(unread))
        return Received(events, letters, notices)

    def _time_and_count(
        self, message: AdvancedMessage, frame: Frame, connection: Connection
    ) -> int | None:
        """Return the frame's time; count its number even if the frame is refused."""
        time_ns = None
        if connection.regimes is not None and connection.regimes.is_repeat(frame.data):
            raise FrameRefusedError(Fault.DUPLICATE, "the bytes of a frame shortly before")
        try:
            if message.timestamp is not None:
                time_ns = self._time(message.timestamp, frame, "", connection)
        except FrameRefusedError:
            if type(message) is TickerChannel:
                self._continuity.break_off(frame.connection, GapCause.REFUSED, 1)
            self._judge(message, None, connection)
            self._count(message.sequence_num, None, connection, restarts=False)
            raise
        if connection.regimes is not None:
            self._judge(message, time_ns, connection)
            return time_ns
        fresh = type(message) is TickerChannel and all(
            event.type == "snapshot" for event in message.events
        )
        try:
            self._count(message.sequence_num, time_ns, connection, restarts=fresh)
        except FrameRefusedError as refused:
            if type(message) is TickerChannel and refused.fault is Fault.IMPLAUSIBLE:
                self._continuity.break_off(frame.connection, GapCause.REFUSED)
            raise
        return time_ns

    def _count(
        self, sequence: int | None, time_ns: int | None, connection: Connection, *, restarts: bool
    ) -> None:
        last, name = connection.sequence, connection.opening.connection
        if sequence is None or connection.regimes is not None:
            return
        if last is not None and sequence != last + 1:
            last_ns = connection.last_ns or 0
            later = time_ns is not None and time_ns > last_ns
            elapsed_ns = 0 if time_ns is None or not last_ns else time_ns - last_ns
            if sequence > last and may_follow(sequence, last, elapsed_ns):
                self._continuity.break_off(name, GapCause.SEQUENCE, sequence - last - 1)
            elif sequence <= last and not later:
                raise FrameRefusedError(
                    Fault.DUPLICATE, f"sequence_num {sequence} after {last}: counted already"
                )
            elif sequence <= last and (restarts or sequence == 0):
                self._continuity.break_off(name, GapCause.DISCONNECT)
            else:
                self._doubt(sequence, last, time_ns or last_ns, connection)
        connection.sequence, connection.doubt = sequence, None

    def _judge(self, message: AdvancedMessage, time_ns: int | None, connection: Connection) -> None:
        """Note what the number of a recorded frame tells of products: losses, or none at a seam."""
        regimes, name = connection.regimes, connection.opening.connection
        if regimes is None or message.sequence_num is None:
            return
        products: dict[str, None] = {}
        beats = None
        if type(message) is TickerChannel:
            names = (ticker.product_id for event in message.events for ticker in event.tickers)
            products = dict.fromkeys(map(self._continuity.book, names))
        elif type(message) is HeartbeatsChannel:
            beats = next((event.heartbeat_counter for event in message.events), None)
        at_ns = connection.last_ns or 0 if time_ns is None else time_ns
        judged = regimes.judge(message.sequence_num, at_ns, list(products), beats)
        self._continuity.close_seam(name, judged.closed)
        for loss in judged.losses:
            self._continuity.lose(name, loss)

    def _counting(self, connection: Connection, number: int | None) -> Container[str] | None:
        """The products on the connection of the latest frame, where a file may have several."""
        regimes = connection.regimes
        if regimes is None or number is None or not regimes.kept:
            return None
        return set(regimes.at_home_in(regimes.known[-1]))

    def _doubt(self, sequence: int, last: int, time_ns: int, connection: Connection) -> None:
        """Raise FrameRefusedError for a number against the count, until others confirm it."""
        connection.doubt = doubted(connection.doubt, sequence, time_ns)
        if not connection.doubt.confirmed:
            raise FrameRefusedError(
                Fault.IMPLAUSIBLE,
                f"sequence_num {sequence} cannot follow {last}: more have to confirm it",
            )
        self._continuity.break_off(connection.opening.connection, GapCause.DISCONNECT)

    def _count_unread(self, frame: Frame, connection: Connection) -> None:
        """Keep the count over a frame that says its number and is unusable otherwise.

        If it had tickers, each product may have lost one.
        """
        members = fields(frame.data)
        number, channel = members.get("sequence_num"), members.get("channel")
        numbered = not isinstance(channel, str) and "sequence_num" in members
        if numbered or channel == "ticker":
            self._continuity.break_off(frame.connection, GapCause.REFUSED, 1)
        if type(number) is int and 0 <= number < 2**63:
            if connection.regimes is not None:
                connection.regimes.pass_over(number)
            with suppress(FrameRefusedError):
                self._count(number, None, connection, restarts=False)

    def _count_beats(self, message: HeartbeatsChannel, connection: Connection) -> None:
        for event in message.events:
            last, counter = connection.heartbeat_counter, event.heartbeat_counter
            jumped = last is not None and counter is not None and counter > last + 1
            if jumped and message.sequence_num is None:
                self._continuity.break_off(connection.opening.connection, GapCause.HEARTBEAT)
            connection.heartbeat_counter = counter

    def _heartbeats(
        self,
        frame: Frame,
        time_ns: int,
        opening: Opening,
        events: list[Event],
        within: Container[str] | None,
    ) -> None:
        refusals: list[FrameRefusedError] = []
        for product in self._continuity.products_of(frame.connection):
            if within is not None and product not in within:
                continue
            beat = Heartbeat(
                product=product,
                event_time_ns=time_ns,
                connection=frame.connection,
                receive_time_ns=frame.receive_time_ns,
            )
            try:
                events.extend(self._continuity.heartbeat(beat, opening))
            except FrameRefusedError as refused:
                refusals.append(refused)
        _raise_all(refusals)

    def _tickers(
        self,
        message: TickerChannel,
        frame: Frame,
        time_ns: int,
        opening: Opening,
        taken: tuple[list[Event], list[DeadLetter]],
    ) -> None:
        events, letters = taken
        refusals: list[FrameRefusedError] = []
        for event in message.events:
            for ticker in event.tickers:
                try:
                    tick = self._tick(ticker, frame, time_ns, opening, event.type)
                    if self._continuity.holds:
                        freed = self.holes.give_way(tick.product, frame.connection)
                        events.extend(freed.events)
                        letters.extend(freed.dead_letters)
                    events.extend(self._continuity.tick(tick, opening))
                except FrameRefusedError as refused:
                    refusals.append(refused)
                    if refused.fault is not Fault.DUPLICATE:
                        self._continuity.refuse(refused.product)
        _raise_all(refusals)

    def _tick(
        self,
        ticker: AdvancedTicker,
        frame: Frame,
        time_ns: int,
        opening: Opening,
        kind: Literal["snapshot", "update"],
    ) -> Tick:
        product = self._product(ticker.product_id)
        ticker = with_plain_prices(ticker)
        check_quote(
            product,
            ticker.price,
            ticker.best_bid,
            ticker.best_ask,
            ticker.best_bid_quantity,
            ticker.best_ask_quantity,
            ticker.volume_24_h,
            None,
        )
        return Tick(
            product=product,
            event_time_ns=time_ns,
            price=ticker.price,
            bid=ticker.best_bid,
            ask=ticker.best_ask,
            connection=frame.connection,
            receive_time_ns=frame.receive_time_ns,
            bid_size=ticker.best_bid_quantity or None,
            ask_size=ticker.best_ask_quantity or None,
            volume_24h=ticker.volume_24_h or None,
            snapshot=kind == "snapshot",
            event_clock=opening.event_clock,
        )


def _raise_all(refusals: list[FrameRefusedError]) -> None:
    """One for all, if there are any: source and position are a letter's identity."""
    if refusals:
        details = "; ".join(f"{r.product}: {r.detail}" for r in refusals)
        raise FrameRefusedError(refusals[0].fault, details, refusals[0].product)
