"""Check: is the topic what it should be? Counts, rate, gaps, dead letters, lag, and one sample.

Records are read by pages without a consumer group, so a check disturbs nobody and takes no memory
for a long topic. Of a topic whose records are no events of the market there are counts and spans.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec

from barograph import codec
from barograph.log import Extent, Log, browse
from barograph.log.topics import DEAD_LETTERS, FEATURES, PREDICTIONS, STATUS, TICKS
from barograph.pipeline.alert_list import lasting
from barograph.pipeline.health import Health, Heard, health_of, newest_statuses
from barograph.times import widened
from barograph.types import (
    NS_PER_S,
    SHOWN_DETAIL,
    Event,
    FeedStatus,
    Gap,
    Heartbeat,
    Record,
    Tick,
    TimeNs,
)

UNREADABLE = "unreadable"
"""In place of a kind or fault: a record that is no JSON object of a kind."""

_EVENTS = ("tick/", "trade/", "heartbeat/", "gap/")
_OF_PRODUCTS = ("features/", "prediction/")
_GROUPS = {"featurizer": TICKS, "scorer": FEATURES}
_LOOK_EVERY_S = 0.2
_SAID_OFTEN = 10_000


class GapTotal(msgspec.Struct, kw_only=True):
    """All gaps of one cause: the seconds they cover, trades missing for good, trades filled in."""

    count: int = 0
    seconds: float = 0.0
    missing: int = 0
    filled: int = 0


class ProductCheck(msgspec.Struct, kw_only=True):
    """One product. `filled` of its trades came from REST afterwards.

    `age_s` is how long ago its last tick was received, `heard_s` its last tick, trade or heartbeat;
    where nobody kept that, happened.
    """

    ticks: int = 0
    trades: int = 0
    filled: int = 0
    heartbeats: int = 0
    last_price: str | None = None
    last_event_time_ns: int | None = None
    age_s: float | None = None
    heard_s: float | None = None
    gaps: dict[str, GapTotal] = {}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic holds, or what came in `watched_s` seconds.

    `counted` are its ticks, or where it has no events of the market its records. It is `ok` with at
    least `wanted` of them and no problem in `health`. `per_s` is records a second of their span of
    receipt, null where that is not known. `dead_letters` are those of the whole market, by fault;
    `lag` is how many records, at most, each group has still to do; `status` the last word of each
    connection; `sample` the last record. `first_refusal` says fault and detail of the first of the
    dead letters, of those that came in `watched_s` where it watched.
    """

    topic: str
    ok: bool
    counted: int
    wanted: int
    records: int
    kinds: dict[str, int]
    watched_s: float | None
    first_event_time_ns: int | None
    last_event_time_ns: int | None
    first_receive_time_ns: int | None
    last_receive_time_ns: int | None
    per_s: float | None
    products: dict[str, ProductCheck]
    dead_letters: dict[str, int]
    lag: dict[str, int]
    status: list[FeedStatus]
    sample: str | None
    first_refusal: str = ""
    health: Health = Health()


class _CommonFields(msgspec.Struct):
    """The fields that records of every kind may have."""

    type: Annotated[str, msgspec.Meta(max_length=100)] = ""
    event_time_ns: TimeNs | None = None
    receive_time_ns: TimeNs | None = None
    product: object = None


def _check_type_name(fields: _CommonFields) -> None:
    codec.check_name(fields.type)


_common_fields = codec.Reader[_CommonFields](_CommonFields, _check_type_name, key=None)


def check(  # noqa: PLR0913 - the options, and what a shell has
    log: Log,
    topic: str,
    *,
    wanted: int,
    seconds: float | None = None,
    max_age_s: float | None = None,
    champion: Callable[[], str | None] = lambda: None,
    clock_ns: Callable[[], int] = time.time_ns,
    timer: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] = time.sleep,
    progress: Callable[[int], None] = lambda _records: None,
) -> Check:
    """Look at all records of a topic, or at those that arrive within `seconds`.

    max_age_s: the oldest that news may be, in seconds; 0 for any age. None: 30 in a log that a live
    feed has written its status to, else any. champion: the label of the present champion, or None;
    raises RegistryError. clock_ns: the wall clock of ages. timer, wait: seconds of a clock that is
    not set, and sleep.
    progress: called with the records seen so far. Raises UnknownTopicError.
    """
    seen = _Seen()
    before = _refusal_ends(log) if seconds is not None else {}
    if seconds is None:
        records = browse.records(log, topic)
    else:
        records = _arriving(log, topic, seconds, timer, wait)
    for record in records:
        seen.take(record)
        if not seen.records % _SAID_OFTEN:
            progress(seen.records)
    topics = {each.name for each in log.topics()}
    of_the_market = topic in {TICKS, FEATURES, PREDICTIONS}
    counted = seen.kinds["tick"] if topic == TICKS else seen.records
    now_ns = clock_ns()
    statuses = newest_statuses(log) if of_the_market and STATUS in topics else []
    products = seen.products_at(now_ns)
    lag = _lag(log, topics) if of_the_market else {}
    health = Health()
    if of_the_market:
        health = health_of(
            log,
            Heard(
                now_ns=now_ns,
                newest_ns=seen.receipts.last,
                watched_s=seconds,
                products={n: each.heard_s for n, each in products.items()} if products else None,
            ),
            statuses=statuses,
            groups={group: _GROUPS[group] for group in lag},
            max_age_s=max_age_s,
            champion=champion,
        )
    if health.max_age_s:
        remarks = [*health.remarks, *(f"alert: {each.text}" for each in lasting(log))]
        health = msgspec.structs.replace(health, remarks=remarks)
    return Check(
        topic=topic,
        ok=counted >= wanted and not health.problems,
        counted=counted,
        wanted=wanted,
        records=seen.records,
        kinds=dict(seen.kinds.most_common()),
        watched_s=seconds,
        first_event_time_ns=seen.events.first,
        last_event_time_ns=seen.events.last,
        first_receive_time_ns=seen.receipts.first,
        last_receive_time_ns=seen.receipts.last,
        per_s=seen.receipts.per_s(seen.records),
        products=products,
        dead_letters=_dead_letters(log) if of_the_market and DEAD_LETTERS in topics else {},
        lag=lag,
        status=statuses,
        sample=None if seen.last is None else browse.as_line(seen.last).decode(),
        first_refusal=_first_refusal(log, before) if topic == TICKS else "",
        health=health,
    )


class _Span:
    """The first and the last of some times, whatever their order."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last: int | None = None

    def take(self, time_ns: int | None) -> None:
        if time_ns is not None:
            self.first, self.last = widened(self.first, self.last, time_ns)

    def per_s(self, count: int) -> float | None:
        if self.first is None or self.last is None or self.last == self.first:
            return None
        return round(count * NS_PER_S / (self.last - self.first), 3)


class _Seen:
    """What the records so far come to."""

    def __init__(self) -> None:
        self.records = 0
        self.kinds: Counter[str] = Counter()
        self.events, self.receipts = _Span(), _Span()
        self.last: Record | None = None
        self._products: dict[str, ProductCheck] = {}
        self._ticked_ns: dict[str, int] = {}
        self._heard_ns: dict[str, int] = {}

    def take(self, record: Record) -> None:
        self.records += 1
        self.last = record
        try:
            common = _common_fields(record.value)
            event = codec.decode_event.of(record) if common.type.startswith(_EVENTS) else None
        except codec.UnreadableError:
            self.kinds[UNREADABLE] += 1
            return
        if common.type.startswith(_OF_PRODUCTS) and common.product != record.key:
            self.kinds[UNREADABLE] += 1
            return
        self.kinds[common.type.partition("/")[0] or UNREADABLE] += 1
        self.events.take(common.event_time_ns)
        self.receipts.take(common.receive_time_ns)
        if event is not None:
            self._event(event)

    def products_at(self, now_ns: int) -> dict[str, ProductCheck]:
        for product, ticked_ns in self._ticked_ns.items():
            self._products[product].age_s = round((now_ns - ticked_ns) / NS_PER_S, 3)
        for product, heard_ns in self._heard_ns.items():
            self._products[product].heard_s = round((now_ns - heard_ns) / NS_PER_S, 3)
        return dict(sorted(self._products.items()))

    def _event(self, event: Event) -> None:
        product = self._products.setdefault(event.product, ProductCheck())
        if isinstance(event, Gap):
            total = product.gaps.setdefault(event.cause, GapTotal())
            total.count += 1
            total.seconds = round(total.seconds + (event.end_ns - event.start_ns) / NS_PER_S, 9)
            total.missing += event.missing or 0
            total.filled += event.filled
            return
        heard_ns = event.event_time_ns if event.receive_time_ns is None else event.receive_time_ns
        self._heard_ns[event.product] = max(heard_ns, self._heard_ns.get(event.product, 0))
        if isinstance(event, Heartbeat):
            product.heartbeats += 1
        elif isinstance(event, Tick):
            product.ticks += 1
            product.last_price = event.price
            product.last_event_time_ns = event.event_time_ns
            self._ticked_ns[event.product] = heard_ns
        else:
            product.trades += 1
            product.filled += event.filled


def _arriving(
    log: Log,
    topic: str,
    seconds: float,
    timer: Callable[[], float],
    wait: Callable[[float], object],
) -> Iterator[Record]:
    """Yield what is written within the next seconds."""
    tail = browse.Tail(log, topic)
    end = timer() + seconds
    over = False
    while not over:
        left = end - timer()
        if left > 0:
            wait(min(left, _LOOK_EVERY_S))
        over = timer() >= end
        yield from tail.take()


def _dead_letters(log: Log) -> dict[str, int]:
    faults = Counter[str]()
    for record in browse.records(log, DEAD_LETTERS):
        try:
            faults[codec.decode_dead_letter(record.value).fault] += 1
        except codec.UnreadableError:
            faults[UNREADABLE] += 1
    return dict(faults.most_common())


def _refusal_ends(log: Log) -> dict[int, int]:
    """Return the next offset of each dead-letter partition."""
    return {extent.partition: extent.next for extent in _refusal_extents(log)}


def _refusal_extents(log: Log) -> list[Extent]:
    known = DEAD_LETTERS in {each.name for each in log.topics()}
    return log.extents(DEAD_LETTERS) if known else []


def _first_refusal(log: Log, before: dict[int, int]) -> str:
    """Fault and detail of the first dead letter that does not lie before these places."""
    for extent in _refusal_extents(log):
        start = max(extent.oldest, before.get(extent.partition, 0))
        for record in log.read(DEAD_LETTERS, extent.partition, start, 1):
            try:
                letter = codec.decode_dead_letter(record.value)
            except codec.UNREADABLE:
                return UNREADABLE
            return f"{letter.fault}: {letter.detail[:SHOWN_DETAIL]}"
    return ""


def _lag(log: Log, topics: set[str]) -> dict[str, int]:
    """Return how many records each group has still to read, of groups that ever committed."""
    lag = {}
    for group, topic in _GROUPS.items():
        if topic in topics and (done := log.positions(group, topic)):
            lag[group] = sum(
                extent.next - max(done.get(extent.partition, 0), extent.oldest)
                for extent in log.extents(topic)
            )
    return lag
