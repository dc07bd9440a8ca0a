"""Dead letters: what could not be used, to be listed, looked into and sent once more.

A letter's identity is "source@position": where its original stood when it was refused. A re-drive
sends the original bytes again to the topic that refused them, and writes in the same step that this
letter went. So whatever happens, a letter is re-driven once: a second run, two runs at once, or one
that was killed between two steps send nothing twice. What is refused again is a new letter with an
identity of its own.

A letter whose source is a connection or a file holds a frame that the venue machine refused: it is
heard again by today's machine, and the ticks in it go to ticks.raw. What is refused still stays the
letter that it is.

Which letters went stands as producer checkpoints in the log, one for each of them while the topic
keeps it, and is held in memory while letters are listed or sent; the letters themselves are read by
pages.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from barograph import codec
from barograph.cases.contract import Contract, RecordRefusedError
from barograph.errors import BadInputError
from barograph.log import Log
from barograph.log.browse import appended_time_ns, last, records
from barograph.log.topics import TICKS
from barograph.types import DeadLetter, Fault, Message, Record
from barograph.venues.coinbase.second_hearing import hear_again

DAMAGED = "damaged"
"""In place of a fault: a record of a dead-letter topic that is no dead letter."""

REDRIVEN = "redriven"
"""The header that names the letter whose original a record is."""

_STEP_LETTERS = 500
_STEP_BYTES = 8 << 20


class Letter(NamedTuple):
    """A record of a dead-letter topic; `letter` is None where it is damaged."""

    record: Record
    letter: DeadLetter | None

    @property
    def identity(self) -> str:
        """Where the original was refused; for a damaged letter, its own place."""
        if self.letter is None:
            return f"{self.record.topic}@{self.record.partition}:{self.record.offset}"
        return self.letter.identity

    @property
    def fault(self) -> str:
        """Why the original was refused."""
        return DAMAGED if self.letter is None else self.letter.fault

    @property
    def original(self) -> bytes:
        """The bytes that were refused, or the damaged record's own."""
        return self.record.value if self.letter is None else self.letter.original


class LetterLine(msgspec.Struct, frozen=True, kw_only=True):
    """One letter of a list. `size` is that of the original in bytes.

    `redriven_time_ns` says when it was sent once more, null that it was not.
    """

    identity: str
    fault: str
    detail: str
    key: str
    size: int
    appended_time_ns: int
    redriven_time_ns: int | None


class LetterList(msgspec.Struct, frozen=True, kw_only=True):
    """What a dead-letter topic holds: how many by fault, how many went again, the last ones."""

    topic: str
    counts: dict[str, int]
    redriven: int
    letters: list[LetterLine]


class LetterShown(LetterLine, frozen=True, kw_only=True):
    """All of one letter; `original` is base64 in JSON, `receive_time_ns` null where not known."""

    source: str
    position: str
    receive_time_ns: int | None
    original: bytes


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters to send again: those of `identities`, or all, or all of a fault."""

    identities: Sequence[str] = ()
    fault: str | None = None
    mended: bytes | None = None
    """What to send instead of the original of the one that is named."""


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """How many records a re-drive sent, by topic; in a dry run, what it would have sent.

    Left where they are: letters `sent_before`, `no_topic` (a case's, whose source is no topic),
    `damaged` (they cannot be read), frames with `no_tick` in them, and frames `refused_again`,
    counted by the fault that they have today.
    """

    topic: str
    dry_run: bool
    sent: dict[str, int]
    sent_before: int
    no_topic: int
    no_tick: int
    refused_again: dict[str, int]
    damaged: int


def letters(log: Log, topic: str) -> Iterator[Letter]:
    """Yield all letters that the topic holds now, oldest first."""
    for record in records(log, topic):
        try:
            yield Letter(record, codec.decode_dead_letter(record.value))
        except codec.UnreadableError:
            yield Letter(record, None)


def listed(log: Log, topic: str, *, fault: str | None, limit: int) -> LetterList:
    """Counts of all letters, and the last `limit` of them, or of those of one fault."""
    _known_fault(fault)
    went = _went(log, topic)
    counts: Counter[str] = Counter()
    redriven = 0
    lines: deque[LetterLine] = deque(maxlen=limit)
    for letter in letters(log, topic):
        counts[letter.fault] += 1
        redriven += letter.identity in went
        if fault is None or letter.fault == fault:
            lines.append(_line(letter, went))
    return LetterList(
        topic=topic, counts=dict(counts.most_common()), redriven=redriven, letters=list(lines)
    )


def shown(log: Log, topic: str, identity: str) -> LetterShown:
    """Return one letter in full. Raises BadInputError when none has this identity."""
    letter = _named(log, topic, [identity])[0]
    return LetterShown(
        **msgspec.structs.asdict(_line(letter, _went(log, topic))),
        source=letter.letter.source if letter.letter else letter.record.topic,
        position=letter.identity.rpartition("@")[2],
        receive_time_ns=letter.letter.receive_time_ns if letter.letter else None,
        original=letter.original,
    )


def redrive(  # noqa: PLR0913 - a log's letters, which of them, and how
    log: Log,
    topic: str,
    choice: Choice,
    *,
    clock_ns: Callable[[], int],
    contract: Contract | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _sent: None,
) -> Redriven:
    """Send the chosen letters' originals, under their keys, to the topics that refused them.

    1.  Take the producer's name "redrive.<topic>": an earlier re-drive that still runs can write
        nothing more. Read which letters went.
    2.  Go through the letters that the topic holds at this moment, the oldest first.
    3.  Append some hundreds and the checkpoints that say so in one step.
    4.  Where all letters were gone through: remove the checkpoints of those that retention has
        removed.

    A frame goes to ticks.raw, if the log has it, as the ticks that it holds. A named letter that
    is damaged, or can go to no topic of the log, is refused with BadInputError before anything is
    sent; among many such letters are counted and left. What a letter has only the
    beginning of is read where it was refused. A mended record that the `contract` refuses, or frame
    that the venue machine does, is not sent either; a mended record's key is the one in it.
    """
    _known_fault(choice.fault)
    producer = _producer(topic)
    went = log.producer_checkpoints(producer, take=not dry_run)
    topics = {each.name for each in log.topics()}
    if choice.identities:
        chosen: Iterator[Letter] = iter(_named(log, topic, choice.identities, topics))
    else:
        chosen = letters(log, topic)
    sending = _Sending(log, producer, clock_ns, dry_run=dry_run)
    refused_again: Counter[str] = Counter()
    sent_before = no_topic = no_tick = damaged = 0
    gone = set() if choice.identities else set(went)
    for letter in chosen:
        gone.discard(letter.identity)
        if choice.fault is not None and letter.fault != choice.fault:
            continue
        if letter.letter is None:
            damaged += 1
        elif letter.identity in went or letter.identity in sending.identities:
            sent_before += 1
        elif letter.letter.source in topics:
            sending.add(letter.identity, [_message(log, letter.letter, choice.mended, contract)])
        elif TICKS not in topics:
            no_topic += 1
        else:
            ticks, refused, *_ = hear_again(letter.letter, choice.mended)
            if refused and choice.mended is not None:
                raise _badly_mended(letter.identity, refused[0].fault, refused[0].detail)
            refused_again.update(each.fault for each in refused)
            no_tick += not ticks and not refused
            headers = {REDRIVEN: letter.identity}
            sending.add(
                letter.identity,
                [Message(TICKS, tick.product, codec.encode(tick), headers) for tick in ticks],
            )
        progress(sum(sending.sent.values()))
    sending.flush()
    sending.forget(gone)
    return Redriven(
        topic=topic,
        dry_run=dry_run,
        sent=dict(sending.sent),
        sent_before=sent_before,
        no_topic=no_topic,
        no_tick=no_tick,
        refused_again=dict(refused_again.most_common()),
        damaged=damaged,
    )


class _Sending:
    """The messages of a re-drive, appended in steps."""

    def __init__(
        self, log: Log, producer: str, clock_ns: Callable[[], int], *, dry_run: bool
    ) -> None:
        self.sent: Counter[str] = Counter()
        self.identities: set[str] = set()
        self._log, self._producer, self._clock_ns = log, producer, clock_ns
        self._dry_run = dry_run
        self._waiting: list[Message] = []
        self._bytes = 0

    def add(self, identity: str, messages: Sequence[Message]) -> None:
        """Send everything that a letter holds in one step, if it holds anything."""
        if messages:
            self.identities.add(identity)
        self.sent.update(message.topic for message in messages)
        self._waiting += messages
        self._bytes += sum(len(message.value) for message in messages)
        if len(self._waiting) >= _STEP_LETTERS or self._bytes >= _STEP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._waiting and not self._dry_run:
            now = str(self._clock_ns()).encode()
            self._log.append(
                self._waiting,
                producer=self._producer,
                checkpoints={message.headers[REDRIVEN]: now for message in self._waiting},
            )
        self._waiting, self._bytes = [], 0

    def forget(self, identities: Collection[str]) -> None:
        """Remove the checkpoints that say these letters were sent."""
        if identities and not self._dry_run:
            marks = dict.fromkeys(identities)
            self._log.append((), producer=self._producer, checkpoints=marks)


def _producer(topic: str) -> str:
    return f"redrive.{topic}"


def _went(log: Log, topic: str) -> Mapping[str, bytes]:
    """Identity of each letter that was sent once more → when, in decimal nanoseconds."""
    return log.producer_checkpoints(_producer(topic), take=False)


def _line(letter: Letter, went: Mapping[str, bytes]) -> LetterLine:
    time = went.get(letter.identity)
    return LetterLine(
        identity=letter.identity,
        fault=letter.fault,
        detail=letter.letter.detail if letter.letter else "this record is no dead letter",
        key=letter.record.key,
        size=len(letter.original),
        appended_time_ns=appended_time_ns(letter.record),
        redriven_time_ns=codec.natural(time),
    )


def _named(
    log: Log, topic: str, identities: Sequence[str], topics: set[str] | None = None
) -> list[Letter]:
    """The letters of these identities; with `topics`, such as can be sent to one of them."""
    wanted = set(identities)
    letters_by_identity: dict[str, Letter] = {}
    for letter in letters(log, topic):
        if letter.identity in wanted:
            letters_by_identity.setdefault(letter.identity, letter)
    for identity in identities:
        if identity not in letters_by_identity:
            raise BadInputError(
                f"letter {identity}",
                f"there is none in {topic}",
                f"`barograph deadletters list --topic {topic}` names those that are there",
            )
        refused = letters_by_identity[identity].letter
        if topics is None:
            continue
        if refused is None:
            raise BadInputError(
                f"letter {identity}",
                "it is damaged",
                f"Look at it (`barograph deadletters show {identity} --topic {topic}`)",
            )
        if refused.source not in topics and TICKS not in topics:
            raise BadInputError(
                f"letter {identity}",
                f"its source is a connection or a file, {refused.source}, and no topic of this log",
                "Mend the recording and replay that",
            )
    return [letters_by_identity[identity] for identity in dict.fromkeys(identities)]


def _message(
    log: Log, letter: DeadLetter, mended: bytes | None, contract: Contract | None
) -> Message:
    identity = letter.identity
    if mended is None:
        value = _whole(log, letter) if letter.cut else letter.original
        return Message(letter.source, letter.key, value, {REDRIVEN: identity})
    key = letter.key
    if contract is not None:
        try:
            key = contract.key_of(contract.decode(mended))
        except RecordRefusedError as refused:
            raise _badly_mended(identity, refused.fault, refused.detail) from refused
    return Message(letter.source, key, mended, {REDRIVEN: identity})


def _badly_mended(identity: str, fault: str, detail: str) -> BadInputError:
    return BadInputError(
        f"what was mended of {identity}", f"{fault}: {detail}", "Mend that too; nothing was sent"
    )


def _whole(log: Log, letter: DeadLetter) -> bytes:
    """Return the whole original of a letter that has only its beginning.

    Raises OffsetGapError when it is gone, BadInputError where the letter names no place.
    """
    partition, _, offset = map(codec.natural, letter.position.partition(":"))
    if partition is not None and offset is not None:
        for record in log.read(letter.source, partition, offset, 1):
            if record.offset == offset:
                return record.value
    raise BadInputError(
        f"letter {letter.identity}",
        "it has only the beginning of its original, and that does not stand where it says",
        "Give the whole of it (--mended FILE)",
    )


def newest(log: Log, topic: str, limit: int) -> list[LetterLine]:
    """The last `limit` letters of a topic, newest first. Raises UnknownTopicError."""
    went = _went(log, topic)
    lines = []
    for record in reversed(last(log, topic, limit)):
        try:
            letter = Letter(record, codec.decode_dead_letter(record.value))
        except codec.UnreadableError:
            letter = Letter(record, None)
        lines.append(_line(letter, went))
    return lines


def _known_fault(fault: str | None) -> None:
    known = [*(str(each) for each in Fault), DAMAGED]
    if fault is not None and fault not in known:
        raise BadInputError(
            f"fault {fault}", "there is no such fault", f"Name one of {', '.join(known)}"
        )
