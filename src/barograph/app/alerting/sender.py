"""The sender of one sink: from the topic `alerts` to its sink, and what is not delivered.

1.  Poll one record. Nothing is polled in quiet hours.
2.  Mark that its note is begun, and send it until the sink takes it, with pauses that grow and a
    part of chance. After `give_up_s` since the record was written, or the sender began, the sink is
    given up for it.
3.  Commit the position, and with it the record in `alerts.undelivered` where it was given up.

After a process that ends between 2 and 3 the next one sends the same note, with the same key, once
more. After two of them nobody knows whether it arrived: it goes to `alerts.undelivered`. A failure
that is known takes the mark back, so it does not count.

A sink that is new begins at the newest alert. Records that quiet hours held back go into one note
when they are over. What is written long after it happened, as by a replay, is no news and not sent.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from pathlib import Path
from random import Random, SystemRandom

import msgspec

from barograph import codec, telemetry
from barograph.alert_records import NEWS_S, AlertRecord, Change, Undelivered
from barograph.app.alerting.marks import MOST_SENDS, Marks
from barograph.app.alerting.notes import Note, Promised, held_note, note_of
from barograph.app.alerting.quiet import QuietHours
from barograph.app.alerting.sink import Sink, SinkError
from barograph.codec import UnreadableError
from barograph.errors import SAY_AGAIN_S, FencedError, OffsetGapError, ReplacedProducerError
from barograph.feed.backoff import Backoff
from barograph.figures import duration
from barograph.foreign import one_line
from barograph.log import Log, Member, open_log
from barograph.log.browse import appended_time_ns
from barograph.log.topics import ALERTS, UNDELIVERED, ensure_alert_topics
from barograph.pipeline.stage_outage import through_outages
from barograph.pipeline.worker import Tally, Until
from barograph.types import NS_PER_S, Message, Record, TopicPartition

BEGIN = "begin"
"""The checkpoint of a sink: the offset from which it sends."""

MAX_HELD = 1000
"""So many records go into one note about quiet hours."""

_POLL_S = 0.25
_LEASE_MORE_S = 600.0
_SKIP = 500


class SendingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts are sent: from which log, which changes, when, and for how long it is tried.

    `first_s` and `cap_s` bound the pauses between two attempts.
    """

    address: str | Path
    give_up_s: float
    changes: Collection[Change] = (*Change,)
    quiet: QuietHours | None = None
    link: str = ""
    promised: Promised = lambda _model: ""
    first_s: float = 1.0
    cap_s: float = 60.0


class Sent(msgspec.Struct, kw_only=True):
    """What a sender did: notes delivered and given up, failed attempts, records passed over."""

    delivered: int = 0
    undelivered: int = 0
    failures: int = 0
    passed_over: int = 0
    why: str = ""


class _Stopped(Exception):  # noqa: N818 - no error: the sender is to end
    pass


class Sender:
    """Sends the alerts of a log to one sink until `stop` is set. Runs in one thread."""

    def __init__(  # noqa: PLR0913 - what is sent how, and the clock and chance of a test
        self,
        sink: Sink,
        plan: SendingPlan,
        stop: threading.Event,
        warn: Callable[[str], None],
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        random: Random | None = None,
    ) -> None:
        self.sink, self.sent = sink, Sent()
        self._plan, self._stop, self._warn, self._clock_ns = plan, stop, warn, clock_ns
        self._random = random or SystemRandom()
        self._began_ns = clock_ns()
        self._begins: dict[TopicPartition, int] = {}
        self._marks: Marks | None = None
        self._next = 0
        self._said_s: float | None = None

    def run(self) -> None:
        """Send until stopped; waits for a log that cannot be used."""
        for result in ("delivered", "retried", "undelivered"):
            telemetry.DELIVERIES.add(0, self.sink.name, result)

        def once(until: Until) -> Tally:
            lease_s = self._plan.give_up_s + _LEASE_MORE_S
            with closing(open_log(self._plan.address, lease_s=lease_s)) as log:
                ensure_alert_topics(log)
                while not until(Tally(), True):  # noqa: FBT003 - as `Until` is called
                    self._between_quiet_hours(log)
            return Tally()

        through_outages(once, lambda _tally, _idle: self._stop.is_set(), self._warn, self._name)

    @property
    def _name(self) -> str:
        return f"alerts to {self.sink.label}"

    def _quiet(self) -> bool:
        return self._plan.quiet is not None and self._plan.quiet.holds(self._clock_ns())

    def _between_quiet_hours(self, log: Log) -> None:
        """Send until quiet hours begin, or the sender is stopped."""
        if self._quiet():
            self._stop.wait(1.0)
            return
        member = log.join(f"alerts-{self.sink.name}", [ALERTS])
        try:
            while not self._stop.is_set() and not self._quiet():
                try:
                    self._step(log, member)
                except (FencedError, ReplacedProducerError):
                    continue  # another sender of this sink goes on, or this one from the log
                except OffsetGapError as gone:
                    self._warn(f"{self._name}: {gone}")
                    return
        except _Stopped:
            pass
        finally:
            with suppress(FencedError):
                member.leave()

    def _step(self, log: Log, member: Member) -> None:
        """Poll a record, or all that quiet hours held back, send what they say, and commit."""
        held: list[AlertRecord] = []
        awake: list[tuple[AlertRecord, int]] = []
        while records := self._polled(log, member):
            for record in records:
                alert = self._news(record)
                if alert is not None:
                    if self._was_quiet(record):
                        held.append(alert)
                    else:
                        awake.append((alert, appended_time_ns(record)))
            if awake or not held or len(held) >= MAX_HELD:
                break
        outputs: list[Message] = []
        if held:
            note = held_note(held, self._plan.link)
            outputs += self._delivered(note, self._clock_ns())  # however long the night was
        for alert, written_ns in awake:
            note = note_of(alert, self._plan.link, self._plan.promised)
            outputs += self._delivered(note, written_ns)
        if held or awake:
            self._commit(member, outputs)
        elif records:
            self.sent.passed_over += len(records)
            member.pass_over()

    def _commit(self, member: Member, outputs: list[Message]) -> None:
        member.commit(outputs)
        if self._marks is not None:
            self._marks.settle()

    def _polled(self, log: Log, member: Member) -> Sequence[Record]:
        """One record; more of them as long as they stand before the first that is sent."""
        before = max((begin - self._next for begin in self._begins.values()), default=1)
        batch = member.poll(max(1, min(_SKIP, before)), _POLL_S)
        for place, checkpoints in batch.assigned.items():
            begin = codec.natural(checkpoints.get(BEGIN))
            if begin is None:
                begin = log.extents(place.topic)[place.partition].next
                member.commit((), {place: {BEGIN: b"%d" % begin}})
            self._begins[place] = begin
            self._marks = Marks(log, self.sink.name)
        if batch.records:
            self._next = batch.records[-1].offset + 1
        return batch.records

    def _news(self, record: Record) -> AlertRecord | None:
        """The alert of a record, if it is to be sent."""
        if record.offset < self._begins.get(TopicPartition(record.topic, record.partition), 0):
            return None
        try:
            alert = codec.decode_alert.of(record)
        except UnreadableError as error:
            self._warn(f"{self._name}: {record.topic}@{record.offset}: {error}")
            return None
        written_ns = appended_time_ns(record)
        old = written_ns - alert.time_ns > NEWS_S * NS_PER_S
        late = self._clock_ns() - written_ns > self.sink.latest_s * NS_PER_S
        return None if old or late or alert.change not in self._plan.changes else alert

    def _was_quiet(self, record: Record) -> bool:
        return self._plan.quiet is not None and self._plan.quiet.holds(appended_time_ns(record))

    def _delivered(self, note: Note, written_ns: int) -> list[Message]:
        """Send a note; return what becomes of it in the log where it was given up."""
        plan, attempts = self._plan, 0
        allowed_ns = int(plan.give_up_s * NS_PER_S)
        if written_ns < self._began_ns - allowed_ns:
            return self._given_up(note, 0, "no sender of this sink ran while it was news")
        backoff = Backoff(self._random, first_s=plan.first_s, cap_s=plan.cap_s)
        ends_ns = max(written_ns, self._began_ns) + allowed_ns
        begun = 0 if self._marks is None else self._marks.count(note.key)
        if begun >= MOST_SENDS:
            why = "it may have been delivered: the process ended twice while it was sent"
            return self._given_up(note, begun, why, unknown=True)
        while True:
            attempts += 1
            self._mark(note, begun + 1)
            try:
                self.sink.send(note)
            except SinkError as error:
                self._mark(note, begun)
                self.sent.failures += 1
                self.sent.why = error.reason
                if error.final or self._clock_ns() >= ends_ns:
                    return self._given_up(note, attempts, error.reason)
                telemetry.DELIVERIES.add(1, self.sink.name, "retried")
                self._say(f"{one_line(error.reason)}. It is tried again", ends_ns)
            else:
                self.sent.delivered += 1
                telemetry.DELIVERIES.add(1, self.sink.name, "delivered")
                self._said_s = None
                return []
            if self._stop.wait(backoff.next_s()):
                raise _Stopped

    def _mark(self, note: Note, count: int) -> None:
        if self._marks is not None:
            self._marks.mark(note.key, count)

    def _given_up(
        self, note: Note, attempts: int, reason: str, *, unknown: bool = False
    ) -> list[Message]:
        """What is written of a note that is sent no more. unknown: whether it arrived."""
        self.sent.undelivered += len(note.alerts)
        telemetry.DELIVERIES.add(1, self.sink.name, "undelivered")
        if not self.sent.undelivered - len(note.alerts) or attempts:
            word = "not known to be delivered" if unknown else "not delivered"
            self._warn(
                f"{self._name}: {word} after {attempts} attempts: {one_line(note.title)}: "
                f"{one_line(reason)}. It stands in {UNDELIVERED}: `barograph alerts list`."
            )
        return [
            Message(UNDELIVERED, self.sink.name, codec.encode(each))
            for each in (
                Undelivered(sink=self.sink.name, reason=reason, attempts=attempts, alert=alert)
                for alert in note.alerts
            )
        ]

    def _say(self, problem: str, ends_ns: int) -> None:
        """Report what goes wrong, once and again while it lasts."""
        now_s = time.monotonic()
        if self._said_s is None or now_s - self._said_s >= SAY_AGAIN_S:
            self._said_s = now_s
            left = duration(max(0, round((ends_ns - self._clock_ns()) / NS_PER_S)))
            self._warn(f"{self._name}: {problem} for {left}.")
