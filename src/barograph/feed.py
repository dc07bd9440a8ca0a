"""The feed: entries in; archive, events and dead letters out, once each, whatever is killed when.

A batch is written in two steps:

1.  The archive appends its entries and reaches the disk.
2.  The log appends events and dead letters, and with them, in the same step, how far the feed is:
    the archive's end, the venue machine's state and the place in a recording.

A feed that was killed between the two finds an archive longer than the log knows. What a recording
gave is moved aside, since it will be read again; what a live connection gave is taken from the
archive. Files of another log, and those that a restored or lost log does not know, stay as they
are; `recover` takes them in.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from barograph.archive import ASIDE, ArchiveWriter
from barograph.archive_book import address_in, keep_book, new_id
from barograph.archive_files import ArchiveFile, archive_files, keep_manifest, number_of
from barograph.codec import encode
from barograph.continuity_checkpoint import ContinuityCheckpoint
from barograph.feed_summary import Summary
from barograph.joined import Joined
from barograph.log import Log
from barograph.log.topics import DEAD_LETTERS, STATUS, TICKS, ensure_topics
from barograph.marks import Mark
from barograph.recall import (
    LOG_ID,
    OLD_STANDING,
    PRODUCER,
    STANDING,
    Recall,
    is_read_again,
    known,
)
from barograph.standing import Span, Standing, ended_at, numbers_in, with_file
from barograph.types import DeadLetter, FeedStatus, Message
from barograph.venues.coinbase import Coinbase
from barograph.venues.continuity import Received
from barograph.venues.entries import (
    Answer,
    Closing,
    Entry,
    Heard,
    Hole,
    Opening,
    Rules,
    connection_of,
)

BATCH_BYTES = 8 << 20
"""Frames and dead letters of more bytes are not written together, however few they are."""

Listen = Callable[[Entry, Received], None]
"""Called with each live entry and what it came to, once that is in the next commit's batch."""


_NOTHING = Received()


class Feed:
    """The feed's one path: whatever brings entries goes through here. Not for several threads.

    Recovers on construction. Raises BadInputError while another feed writes the same archive.
    `pending` counts what waits for the next commit, `pending_bytes` what of it came from outside,
    `summary` everything since the start.
    """

    batch_lines = 4096
    """How many are written together, where nothing asks for less."""

    def __init__(
        self,
        log: Log,
        archive: Path,
        rules: Rules | None = None,
        *,
        partitions: int = 3,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        ensure_topics(log, partitions)
        self.summary = Summary()
        self.pending = self.pending_bytes = 0
        self._log, self._messages = log, list[Message]()
        self._rules = rules or Rules()
        self._machine = Coinbase(self._rules)
        self._continuity = ContinuityCheckpoint(self._machine)
        self._archive, self._warn = archive, warn
        self._has: tuple[Span, ...] = ()
        self._run, self._whole = "", False
        self._writer = ArchiveWriter(archive)
        try:
            self._recover()
        except BaseException:
            self._writer.close()
            raise

    @property
    def full(self) -> bool:
        """Whether a batch is as large as one may be."""
        return self.pending >= self.batch_lines or self.pending_bytes >= BATCH_BYTES

    @property
    def connections(self) -> list[str]:
        """The connections that are open."""
        return self._machine.connections

    def holes(self) -> list[Hole]:
        """The holes whose trades may still be asked for, oldest first."""
        return self._machine.holes()

    def marks(self) -> Mapping[str, bytes]:
        """How far recordings were taken by this or an earlier feed of the log; see `marks`."""
        return self._log.producer_checkpoints(PRODUCER)

    def take(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        """Archive an entry, and put what it comes to into the next commit.

        An opening of what is open is nothing, and so is whatever speaks of a connection that is
        not; but a frame opens its own. `source`: the file and line of a frame's dead letters.
        """
        connection = connection_of(entry)
        is_open = connection in self._machine.continuity.connections
        if type(entry) is Heard:
            self.pending_bytes += len(entry.frame.data)
            if not is_open:
                self._take(self._ruled(Opening(connection=connection, dialect=entry.dialect)), None)
        elif type(entry) is Opening:
            if is_open:
                return _NOTHING
            entry = self._ruled(entry)
        elif not is_open:
            return _NOTHING
        elif type(entry) is Answer:
            self.pending_bytes += len(entry.frame.data)
        self.pending += type(entry) is not Opening
        return self._take(entry, source)

    def report(self, status: FeedStatus) -> None:
        """Publish how a connection is, with the next commit."""
        self.pending += 1
        self._messages.append(Message(STATUS, status.venue, encode(status)))

    def reject(self, letter: DeadLetter) -> None:
        """Take what could not even be a frame."""
        self.pending += 1
        self.pending_bytes += len(letter.original)
        self._messages.append(Message(DEAD_LETTERS, letter.key, encode(letter)))
        counts = self.summary.dead_letters
        counts[letter.fault] = counts.get(letter.fault, 0) + 1

    def commit(self, key: str = "", mark: Mark | None = None) -> None:
        """Write what was taken, archive first. key, mark: how far a recording is with that."""
        checkpoints = self._checkpoints(self._standing())
        if mark is not None:
            checkpoints[key] = msgspec.json.encode(mark)
        self._log.append(self._messages, producer=PRODUCER, checkpoints=checkpoints)
        self._writer.acknowledge()
        self._messages = []
        self.pending = self.pending_bytes = 0

    def close(self) -> None:
        """Archive what is not committed, for the next feed to take up; let it in. Idempotent."""
        self._writer.close()

    def _ruled(self, opening: Opening) -> Opening:
        return msgspec.structs.replace(opening, rules=self._rules)

    def _take(self, entry: Entry, source: tuple[str, int] | None) -> Received:
        self._writer.write(entry)
        received = self._hear(entry, source)
        if received.events or received.dead_letters:
            self._writer.note(received.events, received.dead_letters)
        return received

    def _hear(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        received = self._machine.take(entry)
        self._continuity.heard()
        events, letters = received.events, received.dead_letters
        for event in events:
            self._messages.append(Message(TICKS, event.product, encode(event)))
            self.summary.count(event)
        for letter in letters:
            if source is None:
                self.reject(letter)
            else:
                name, line = source
                self.reject(msgspec.structs.replace(letter, source=name, position=str(line)))
        if not events and not letters:
            self.summary.quiet += type(entry) is Heard
        return received

    def _standing(self) -> Standing:
        """Make what was taken durable in the archive; where the log stands once it has it."""
        end = self._writer.flush()
        while self._writer.lost:
            path = self._writer.lost.pop()
            self._warn(f"{path} was removed or changed while it was written; a new file is begun")
        for manifest in end.finished:
            self._has = with_file(self._has, number_of(manifest.file))
        if end.size:
            self._has = with_file(self._has, end.file)
        return msgspec.structs.replace(end, run=self._run, has=self._has, whole=self._whole)

    def _checkpoints(self, standing: Standing) -> dict[str, bytes]:
        archive = self._book.archive
        return {
            f"{STANDING}{archive}": msgspec.json.encode(standing),
            **self._continuity.due(archive, standing.place),
        }

    def _recover(self) -> None:
        """Take up what a crash left between archive and log, and begin a run of one's own."""
        saved = self._log.producer_checkpoints(PRODUCER)
        address = address_in(self._archive, self._log.address)
        found = known(self._archive, saved, address)
        self._book, self.unknown = found.book, found.unknown
        self._elsewhere = found.elsewhere
        if not self._continuity.restore(saved, self._archive, found.book.archive, found.standing):
            self._warn(_told_gap(self._archive))
        for manifest in found.standing.finished:
            keep_manifest(self._archive, manifest)
        standing = msgspec.structs.replace(found.standing, finished=())
        if is_read_again(found.tail, standing):
            moved = self._writer.set_aside(found.tail, standing)
            self._warn(_told_aside(self._archive, len(moved)))
        else:
            standing = self._recall(Recall(standing, found.tail))
        keep_book(self._archive, self._book)
        self._has, self._run = standing.has, new_id()
        self._whole = standing.whole and bool(found.unknown)
        if any(file.number == standing.file for file in found.unknown):
            self._has = ended_at(self._has, standing.place)
        numbers = numbers_in(self._has)
        last = numbers[-1] if numbers else 0
        self._writer.serve(self._book, found.log, address, run=self._run, known=last)
        # Before anything is archived, so that what follows in the archive always means a crash.
        first = {LOG_ID: found.log.encode(), OLD_STANDING: b""}
        checkpoints = self._checkpoints(self._standing())
        self._log.append((), producer=PRODUCER, checkpoints=checkpoints | first)
        for number in numbers:
            if self._book.owner(number) is None:
                self._book.begin(number, found.log)
        keep_book(self._archive, self._book)
        if found.lacking:
            self._warn(_told_lacking(self._archive, found.lacking))
        if found.elsewhere and not found.standing.has:
            self._warn(f"{self._archive}: the log knows another archive; it goes on with this one")

    @property
    def has_files(self) -> bool:
        """Whether the log has anything of the archive."""
        return bool(self._has)

    def comes_before(self, file: ArchiveFile) -> bool:
        """Whether all that the log has comes before what it has not of this file, and it is all."""
        if self._elsewhere or not self._has:
            return False
        last = self._has[-1]
        return last.last < file.number or (last.last == file.number and last.size is not None)

    def take_in(
        self,
        files: Sequence[ArchiveFile],
        *,
        whole: bool,
        progress: Callable[[int], None] = lambda _ticks: None,
    ) -> None:
        """Take files of the archive that the log does not know, all of which come after its own.

        Those that another log left unfinished are finished, so that nothing of them is moved aside
        any more. whole: this log is to have the files of all logs, also where it is cut off.
        """
        self._whole = self._whole or whole
        last = self._has[-1] if self._has else Span(0, 0)
        standing = Standing(
            last.last, last.size or 0, None, (), last.lines, self._run, self._has, self._whole
        )
        everything = [file for file in archive_files(self._archive) if file.there]
        # By the spans alone: a file at `last` that is had whole has no place that ends it.
        had = Standing(has=self._has)
        known = [(file, had.end_in(file.number)) for file in everything]
        numbers = {file.number for file in files}
        joined = Joined(
            self._archive, [file for file, end in known if end or file.number in numbers]
        ).as_taken(had)
        for file, end in known:
            if end is not None:
                joined.pass_over(file, end)
        recall = Recall(standing, files, joined=not joined.is_one)
        standing = self._recall(recall, joined, progress)
        if not joined.is_one:
            # As whoever reads these files again does where this log's own files follow.
            for connection in self.connections:
                self._hear(Closing(connection))
        self._has, self._whole = standing.has, False
        self.unknown = []
        self.commit()

    def _recall(
        self,
        recall: Recall,
        joined: Joined | None = None,
        progress: Callable[[int], None] = lambda _ticks: None,
    ) -> Standing:
        """Take in what is heard once more; returns where the log stands then."""

        def commit() -> None:
            checkpoints = self._checkpoints(recall.checkpoint())
            self._log.append(self._messages, producer=PRODUCER, checkpoints=checkpoints)
            recall.acknowledge(self._archive)
            self._messages = []
            self.pending = self.pending_bytes = 0
            progress(self.summary.ticks)

        for entry in recall.entries():
            added = (entry,) if joined is None else joined.take(recall.standing.file, entry)
            for each in added:
                if isinstance(each, DeadLetter):
                    self.reject(each)
                    continue
                received = self._hear(each)
                recall.note(received.events, received.dead_letters)
                self.summary.lines += type(each) is Heard
            if len(self._messages) >= self.batch_lines:
                commit()
        if recall.files:
            commit()
        return recall.standing


def ingest(
    feed: Feed,
    entries: Iterable[Entry | DeadLetter | None],
    listen: Listen = lambda _entry, _received: None,
    max_delay_s: float = 0.05,
    monotonic: Callable[[], float] = time.monotonic,
) -> Summary:
    """Take live entries until there are no more; connections of an earlier run are lost first.

    They are written when a batch is full, when the first of them waits for `max_delay_s`, or at a
    None, which says that the next one may be long in coming. A dead letter stands for a frame that
    could not be taken in.
    """
    started = monotonic()
    first_s: float | None = None
    _lose_all(feed)
    for entry in entries:
        if isinstance(entry, DeadLetter):
            feed.reject(entry)
        elif entry is not None:
            listen(entry, feed.take(entry))
            feed.summary.lines += type(entry) is Heard
        if feed.pending:
            now = monotonic()
            first_s = now if first_s is None else first_s
            if entry is None or feed.full or now - first_s >= max_delay_s:
                feed.commit()
                first_s = None
    _lose_all(feed)
    feed.commit()
    feed.summary.finish(monotonic() - started)
    return feed.summary


def _lose_all(feed: Feed) -> None:
    for connection in feed.connections:
        feed.take(Closing(connection))


def _told_aside(archive: Path, files: int) -> str:
    return (
        f"{archive}: what a killed replay left in {_files(files)} was moved to {archive / ASIDE}; "
        "the recording is read again from where the log stands"
    )


def _told_gap(archive: Path) -> str:
    return (
        f"{archive} lacks frames that were heard before the log's last commit: what was held for a "
        "hole then is lost, and every product that was open has a gap"
    )


def _told_lacking(archive: Path, numbers: Sequence[int]) -> str:
    which = f"{numbers[0]:06d}" + (f" to {numbers[-1]:06d}" if len(numbers) > 1 else "")
    return f"{archive} lacks {_files(len(numbers))} that the log knows ({which}); it goes on"


def _files(number: int) -> str:
    return f"{number:,} file" + ("s" if number != 1 else "")
