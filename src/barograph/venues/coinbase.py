"""The two dialects of Coinbase: `ExchangeFeed` and `AdvancedTrade`, frames in, events out.

What passes here is sound: prices are positive and sizes not negative, as `refusals.check_quote`
says; the quote is not crossed (bid = ask is fine), the time is exact. What does not pass becomes a
dead letter with its bytes, and nothing is raised whatever the bytes are. Fields that the venue adds
are ignored, a number where a string was promised is read as its digits, an empty optional field as
not offered.
"""

from typing import Literal

import msgspec

from barograph.types import (
    NS_PER_S,
    DeadLetter,
    Event,
    Fault,
    Frame,
    GapCause,
    Heartbeat,
    Tick,
)
from barograph.venues.coinbase_frames import (
    ADVANCED_CHANNELS,
    EXCHANGE_TYPES,
    AdvancedMessage,
    AdvancedTicker,
    ExchangeHeartbeat,
    ExchangeTicker,
    HeartbeatsChannel,
    TickerChannel,
    decode_advanced,
    decode_exchange,
)
from barograph.venues.continuity import Connection, Continuity, Dialect, Opening, Received, Rules
from barograph.venues.refusals import (
    UNREADABLE,
    RefusedError,
    check_quote,
    fault_of,
    fields,
    require_utf8,
    with_numbers_as_text,
)
from barograph.venues.timestamps import parse_time

_NOTHING = Received()


class _Machine:
    """What both dialects share: connections, rules and refusals.

    `continuity` may be shared with the machine of the other dialect, so that holes are seen across
    them; the snapshot is then of both, and so are its rules. Else one is made with `rules`.
    """

    dialect: Dialect

    def __init__(self, rules: Rules | None = None, *, continuity: Continuity | None = None) -> None:
        self._continuity = continuity or Continuity(rules)

    def open(self, opening: Opening) -> None:
        """A connection begins."""
        self._continuity.open(opening)

    def close(self, connection: str) -> None:
        """A connection is lost: each of its products has a hole that ends with its next event."""
        self._continuity.close(connection)

    def snapshot(self) -> bytes:
        """The state as JSON."""
        return self._continuity.snapshot()

    def restore(self, state: bytes) -> None:
        """Become what `snapshot` was taken of; raises msgspec.DecodeError when it is none."""
        self._continuity.restore(state)

    def _connection(self, frame: Frame) -> Connection:
        connection = self._continuity.connections.get(frame.connection)
        if connection is None:
            self.open(Opening(connection=frame.connection, dialect=self.dialect))
            connection = self._continuity.connections[frame.connection]
        connection.frames += 1
        return connection

    def _time(self, text: str, frame: Frame, product: str) -> int:
        try:
            time_ns = parse_time(text)
        except ValueError as error:
            raise RefusedError(Fault.BAD_TIME, str(error), product) from None
        received_ns = frame.receive_time_ns
        if received_ns is not None and time_ns - received_ns > self._continuity.future_ns:
            ahead_s = (time_ns - received_ns) / NS_PER_S
            raise RefusedError(Fault.FUTURE, f"{ahead_s:.3f} s ahead of its receipt", product)
        return time_ns

    def _check_product(self, product: str) -> None:
        products = self._continuity.rules.products
        if products is not None and product not in products:
            raise RefusedError(Fault.UNKNOWN_PRODUCT, f"{product} was not asked for", product)


class ExchangeFeed(_Machine):
    """Coinbase Exchange: `ticker`, `heartbeat` and `subscriptions` frames, a product a frame.

    Holes: `trade_id` jumps, a heartbeat's `last_trade_id` ahead of the last trade (the trades of
    such a hole pass if they come yet), silence, lost connections. `sequence` counts the full
    channel, so its holes mean nothing here.
    Source: docs.cdp.coinbase.com/exchange/websocket-feed/channels.
    """

    dialect = Dialect.EXCHANGE

    def receive(self, frame: Frame) -> Received:
        """The frame's events in order, or the dead letter that it is, or neither."""
        connection = self._connection(frame)
        try:
            require_utf8(frame.data)
            try:
                message = decode_exchange(frame.data)
            except msgspec.ValidationError:
                message = decode_exchange(with_numbers_as_text(frame.data))
            if type(message) is ExchangeTicker:
                return self._ticker(message, frame, connection.opening)
            if type(message) is ExchangeHeartbeat:
                return self._heartbeat(message, frame, connection.opening)
        except RefusedError as refused:
            return Received((), (_letter(frame, connection, refused),))
        except UNREADABLE as error:
            fault, detail = fault_of(frame.data, error, "type", EXCHANGE_TYPES)
            product = fields(frame.data).get("product_id")
            key = product[:100] if isinstance(product, str) else ""
            return Received((), (_letter(frame, connection, RefusedError(fault, detail, key)),))
        return _NOTHING

    def _ticker(self, ticker: ExchangeTicker, frame: Frame, opening: Opening) -> Received:
        product = ticker.product_id
        self._check_product(product)
        check_quote(
            product,
            ticker.price,
            ticker.best_bid,
            ticker.best_ask,
            ticker.best_bid_size,
            ticker.best_ask_size,
            ticker.volume_24h,
            ticker.last_size,
        )
        tick = Tick(
            product=product,
            event_time_ns=self._time(ticker.time, frame, product),
            price=ticker.price,
            bid=ticker.best_bid,
            ask=ticker.best_ask,
            connection=frame.connection,
            receive_time_ns=frame.receive_time_ns,
            bid_size=ticker.best_bid_size or None,
            ask_size=ticker.best_ask_size or None,
            volume_24h=ticker.volume_24h or None,
            trade_id=ticker.trade_id,
            last_size=ticker.last_size or None,
            # The aggressor's on the ticker channel: in a recording of 5,996 real ones "buy" stands
            # with the price at the ask 1,751 times and at the bid never, "sell" at the bid 1,523
            # times and at the ask never. On the matches channel it is the maker's.
            side=ticker.side,
            sequence=ticker.sequence,
            event_clock=opening.event_clock,
        )
        return Received(self._continuity.tick(tick, opening))

    def _heartbeat(self, beat: ExchangeHeartbeat, frame: Frame, opening: Opening) -> Received:
        self._check_product(beat.product_id)
        heartbeat = Heartbeat(
            product=beat.product_id,
            event_time_ns=self._time(beat.time, frame, beat.product_id),
            connection=frame.connection,
            receive_time_ns=frame.receive_time_ns,
            last_trade_id=beat.last_trade_id,
            sequence=beat.sequence,
        )
        return Received(self._continuity.heartbeat(heartbeat, opening))


class AdvancedTrade(_Machine):
    """Coinbase Advanced Trade: an envelope with `channel`, `timestamp`, `sequence_num`, `events`.

    Holes: `sequence_num` jumps (it counts all frames of one connection; `missing` is in frames and
    each product of the connection gets a gap), where there is none the heartbeat counter, silence,
    lost connections. A frame whose number was passed already is a repeat, unless the numbers start
    anew: then the connection was replaced unseen. Ticks carry the envelope's time and no side.
    Source: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket.
    """

    dialect = Dialect.ADVANCED

    def receive(self, frame: Frame) -> Received:
        """The frame's events in order and at most one dead letter."""
        connection = self._connection(frame)
        events: list[Event] = []
        try:
            require_utf8(frame.data)
            try:
                message = decode_advanced(frame.data)
            except msgspec.ValidationError:
                message = decode_advanced(with_numbers_as_text(frame.data))
            time_ns = self._time_and_count(message, frame, connection)
            if time_ns is None:
                return _NOTHING
            connection.last_ns = max(time_ns, connection.last_ns or time_ns)
            if type(message) is HeartbeatsChannel:
                self._count_beats(message, connection)
            events += self._continuity.mend(frame.connection, time_ns, frame.receive_time_ns)
            if type(message) is TickerChannel:
                self._tickers(message, frame, time_ns, connection.opening, events)
            elif type(message) is HeartbeatsChannel:
                self._heartbeats(frame, time_ns, connection.opening, events)
        except RefusedError as refused:
            return Received(events, (_letter(frame, connection, refused),))
        except UNREADABLE as error:
            fault, detail = fault_of(frame.data, error, "channel", ADVANCED_CHANNELS)
            self._count_unread(frame.data, connection)
            return Received((), (_letter(frame, connection, RefusedError(fault, detail)),))
        return Received(events)

    def _time_and_count(
        self, message: AdvancedMessage, frame: Frame, connection: Connection
    ) -> int | None:
        """The frame's time; its number is counted whatever becomes of the frame."""
        time_ns = None
        try:
            if message.timestamp is not None:
                time_ns = self._time(message.timestamp, frame, "")
        except RefusedError:
            self._count(message.sequence_num, None, connection, restarts=False)
            raise
        fresh = type(message) is TickerChannel and all(
            event.type == "snapshot" for event in message.events
        )
        self._count(message.sequence_num, time_ns, connection, restarts=fresh)
        return time_ns

    def _count(
        self, sequence: int | None, time_ns: int | None, connection: Connection, *, restarts: bool
    ) -> None:
        last = connection.sequence
        if sequence is None:
            return
        if last is not None and sequence <= last:
            later = time_ns is not None and time_ns > (connection.last_ns or 0)
            if not (later and (restarts or sequence == 0)):
                raise RefusedError(
                    Fault.DUPLICATE, f"sequence_num {sequence} after {last}: counted already"
                )
            self._continuity.break_off(connection.opening.connection, GapCause.DISCONNECT)
        elif last is not None and sequence > last + 1:
            self._continuity.break_off(
                connection.opening.connection, GapCause.SEQUENCE, sequence - last - 1
            )
        connection.sequence = sequence

    def _count_unread(self, data: bytes, connection: Connection) -> None:
        """Keep the count over a frame that says its number and is unusable otherwise."""
        number = fields(data).get("sequence_num")
        last = -1 if connection.sequence is None else connection.sequence
        if type(number) is int and last < number < 2**63:
            self._count(number, None, connection, restarts=False)

    def _count_beats(self, message: HeartbeatsChannel, connection: Connection) -> None:
        for event in message.events:
            last, counter = connection.heartbeat_counter, event.heartbeat_counter
            jumped = last is not None and counter is not None and counter > last + 1
            if jumped and message.sequence_num is None:
                self._continuity.break_off(connection.opening.connection, GapCause.HEARTBEAT)
            connection.heartbeat_counter = counter

    def _heartbeats(
        self, frame: Frame, time_ns: int, opening: Opening, events: list[Event]
    ) -> None:
        for product in self._continuity.products_of(frame.connection):
            beat = Heartbeat(
                product=product,
                event_time_ns=time_ns,
                connection=frame.connection,
                receive_time_ns=frame.receive_time_ns,
            )
            events.extend(self._continuity.heartbeat(beat, opening))

    def _tickers(
        self,
        message: TickerChannel,
        frame: Frame,
        time_ns: int,
        opening: Opening,
        events: list[Event],
    ) -> None:
        refusals: list[RefusedError] = []
        for event in message.events:
            for ticker in event.tickers:
                try:
                    tick = self._tick(ticker, frame, time_ns, opening, event.type)
                    events.extend(self._continuity.tick(tick, opening))
                except RefusedError as refused:
                    refusals.append(refused)
        if refusals:
            # One letter a frame: source and position are a letter's identity.
            details = "; ".join(f"{r.product}: {r.detail}" for r in refusals)
            raise RefusedError(refusals[0].fault, details, refusals[0].product)

    def _tick(
        self,
        ticker: AdvancedTicker,
        frame: Frame,
        time_ns: int,
        opening: Opening,
        kind: Literal["snapshot", "update"],
    ) -> Tick:
        product = ticker.product_id
        self._check_product(product)
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


def _letter(frame: Frame, connection: Connection, refused: RefusedError) -> DeadLetter:
    return DeadLetter(
        fault=refused.fault,
        detail=refused.detail,
        source=frame.connection,
        position=str(connection.frames),
        key=refused.product,
        original=frame.data,
        receive_time_ns=frame.receive_time_ns,
    )
