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

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from barograph.archive.book import address_in, keep_book, new_id
from barograph.archive.files import ArchiveFile, archive_files, keep_manifest, number_of
from barograph.archive.joined import Joined
from barograph.archive.recall import (
    LOG_ID,
    OLD_STANDING,
    PRODUCER,
    STANDING,
    ArchiveComparison,
    Recall,
    aside_warning,
    behind,
    compare,
    gap_warning,
    is_read_again,
    kept_whole,
    lacking_warning,
)
from barograph.archive.standing import ArchivePosition, Span, ended_at, numbers_in, with_file
from barograph.archive.writer import ASIDE, ArchiveWriter
from barograph.codec import encode
from barograph.errors import ReplacedProducerError
from barograph.feed.machine import FeedMachine
from barograph.feed.marks import Recalled
from barograph.feed.summary import Summary
from barograph.feed.unarchived import Unarchived
from barograph.log import Log
from barograph.log.topics import STATUS, ensure_topics
from barograph.types import DeadLetter, FeedStatus, Frame, Message
from barograph.venues.books import UNIFIED
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

_NOTHING = Received()


class Feed:
    """The feed's one path: whatever brings entries goes through here. Not thread-safe.

    Recovers on construction. Raises BadInputError while another feed writes the same archive.
    `pending` counts what waits for the next commit, `pending_bytes` what of it came from outside.
    """

    batch_lines = 4096
    """The most that are written together, where nothing asks for less."""

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
        self.pending = self.pending_bytes = 0
        self.warn = warn
        self._log, self._archive = log, archive
        self._rules = rules or Rules(books=UNIFIED)
        self._machine, self._unarchived = FeedMachine(self._rules), Unarchived()
        self._has: tuple[Span, ...] = ()
        self._run, self._whole = "", False
        self._writer = ArchiveWriter(archive)
        try:
            with kept_whole(log.address):
                self._recover()
        except BaseException:
            self._writer.close()
            raise

    @property
    def summary(self) -> Summary:
        """Totals since the feed started."""
        return self._machine.summary

    @property
    def full(self) -> bool:
        """Whether the batch has reached its size limit."""
        return self.pending >= self.batch_lines or self.pending_bytes >= BATCH_BYTES

    @property
    def address(self) -> str:
        """The address of the log."""
        return self._log.address

    @property
    def connections(self) -> list[str]:
        """The names of the open connections."""
        return self._machine.venue.connections

    def holes(self) -> list[Hole]:
        """The holes whose trades may still be requested, oldest first."""
        return self._machine.venue.holes()

    def marks(self) -> Mapping[str, bytes]:
        """How far recordings were taken by this or an earlier feed of the log; see `marks`."""
        return self._log.producer_checkpoints(PRODUCER)

    def take(self, entry: Entry, source: tuple[str, int] | None = None) -> Received:
        """Archive an entry, and put what it comes to into the next commit.

        Opening an open connection has no effect, and neither has an entry of one that is not open;
        a frame, however, opens its own. `source`: the file and line that its dead letters name.
        """
        connection = connection_of(entry)
        is_open = connection in self._machine.venue.continuity.connections
        if type(entry) is Opening:
            return _NOTHING if is_open else self._open(entry)
        if type(entry) is Heard and not is_open:
            self._open(Opening(connection=connection, dialect=entry.dialect))
        elif not is_open:
            return _NOTHING
        self.pending += 1
        if type(entry) is Heard or type(entry) is Answer:
            self.pending_bytes += len(entry.frame.data)
        return self._take(entry, source)

    def take_frames(
        self, frames: Sequence[Frame], opening: Opening, name: str, lines: Sequence[int]
    ) -> None:
        """As `take` with each frame of a connection; `name` and `lines` are their sources."""
        self.take(opening)
        self.pending += len(frames)
        self.pending_bytes += sum(len(frame.data) for frame in frames)
        while frames:
            n, source = self._writer.write_frames(frames, opening.dialect), (name, lines)
            self._refused(self._machine.take_frames(frames[:n], opening, source, self._writer))
            frames, lines = frames[n:], lines[n:]

    def take_plain(self, lines: Sequence[bytes], opening: Opening) -> int:
        """As `take_frames`, with the first lines of a recording that are plain: so many."""
        taken = self._machine.take_plain(lines, opening, self._writer)
        self.pending += taken
        self.pending_bytes += sum(map(len, lines[:taken]))
        return taken

    def report(self, status: FeedStatus) -> None:
        """Publish the status of a connection with the next commit."""
        self.pending += 1
        message = Message(STATUS, status.venue, encode(status))
        self._machine.messages.append(message)
        self._unarchived.add(message)

    def reject(self, letter: DeadLetter) -> None:
        """Add the dead letter of bytes that are no frame to the next commit."""
        self._refused((letter,))
        self._unarchived.add(self._machine.refuse(letter))

    def commit(self, marks: Mapping[str, bytes] = {}) -> None:
        """Write what was taken, archive first. marks: how far the recording is read by then."""
        checkpoints = {**self._checkpoints(self._standing()), **marks}
        self._log.append(self._machine.messages, producer=PRODUCER, checkpoints=checkpoints)
        self._writer.acknowledge()
        self._unarchived.clear()
        self._written()

    def keep(self) -> None:
        """Write what was taken to the archive alone; the log lacks it until `catch_up`."""
        self._flushed()
        self._written()

    def try_log(self) -> None:
        """Write to the log, in any thread, while no other method does. Raises as `Log.append`."""
        self._log.append((), producer=PRODUCER, checkpoints={LOG_ID: self._log_id.encode()})

    def catch_up(self) -> Iterator[None]:
        """After `keep`: write to the log what it lacks of the archive, in steps, as a start does.

        Entries may be taken and kept between two steps. After the last step the log holds what it
        would hold had each entry been committed. An error of the log ends it; it can be started
        again. Raises ReplacedProducerError where another feed wrote the log meanwhile.
        """
        saved = self._log.producer_checkpoints(PRODUCER, take=False)
        comparison = compare(self._archive, saved, address_in(self._archive, self._log.address))
        if comparison.log != self._log_id or comparison.standing.run != self._run:
            raise ReplacedProducerError(PRODUCER)
        machine = FeedMachine(self._rules)
        standing = self._restore(machine, saved, comparison)
        while True:
            self.keep()
            self._writer.finish()
            if not (files := behind(self._archive, standing, self._book, {self._log_id})):
                break
            recall = Recall(standing, files)
            yield from self._recall(machine, recall)
            standing = recall.standing
        self._has = standing.has
        machine.summary, self._machine = self._machine.summary, machine
        machine.messages = self._unarchived.messages()
        if self._unarchived.dropped:
            self.warn(self._unarchived.warning())
        self.commit()

    def close(self) -> None:
        """Archive what is not committed and release the archive to the next feed. Idempotent."""
        self._writer.close()

    def _open(self, opening: Opening) -> Received:
        return self._take(msgspec.structs.replace(opening, rules=self._rules), None)

    def _take(self, entry: Entry, source: tuple[str, int] | None) -> Received:
        self._writer.write(entry)
        received = self._machine.take(entry, source)
        self._writer.note(received.events, received.dead_letters)
        self._refused(received.dead_letters)
        return received

    def _refused(self, letters: Sequence[DeadLetter]) -> None:
        self.pending += len(letters)
        self.pending_bytes += sum(len(letter.original) for letter in letters)

    def _written(self) -> None:
        self._machine.messages = []
        self.pending = self.pending_bytes = 0

    def _flushed(self) -> ArchivePosition:
        """Make what was taken durable in the archive; return the place where it ends."""
        end = self._writer.flush()
        while self._writer.lost:
            path = self._writer.lost.pop()
            self.warn(f"{path} was removed or changed while it was written; a new file is begun")
        return end

    def _standing(self) -> ArchivePosition:
        """Make what was taken durable in the archive; return the log's position once it has it."""
        end = self._flushed()
        for manifest in end.finished:
            self._has = with_file(self._has, number_of(manifest.file))
        if end.size:
            self._has = with_file(self._has, end.file)
        return msgspec.structs.replace(end, run=self._run, has=self._has, whole=self._whole)

    def _checkpoints(
        self, standing: ArchivePosition, machine: FeedMachine | None = None
    ) -> dict[str, bytes]:
        archive, machine = self._book.archive, machine or self._machine
        return {
            f"{STANDING}{archive}": msgspec.json.encode(standing),
            **machine.continuity.due(archive, standing.place),
        }

    def _recover(self) -> None:
        """Bring into the log what a crash left in the archive alone, and begin a new run."""
        saved = self._log.producer_checkpoints(PRODUCER)
        address = address_in(self._archive, self._log.address)
        comparison = compare(self._archive, saved, address)
        self._book, self.unknown = comparison.book, comparison.unknown
        self._elsewhere, self._log_id = comparison.elsewhere, comparison.log
        standing = self._restore(self._machine, saved, comparison)
        if is_read_again(comparison.tail, standing):
            moved = self._writer.set_aside(comparison.tail, standing)
            self.warn(aside_warning(self._archive, self._archive / ASIDE, len(moved)))
        else:
            recall = Recall(standing, comparison.tail)
            for _ in self._recall(self._machine, recall):
                pass
            standing = recall.standing
        keep_book(self._archive, self._book)
        self._has, self._run = standing.has, new_id()
        self._whole = standing.whole and bool(comparison.unknown)
        if any(file.number == standing.file for file in comparison.unknown):
            self._has = ended_at(self._has, standing.place)
        numbers = numbers_in(self._has)
        last = numbers[-1] if numbers else 0
        self._writer.serve(self._book, comparison.log, address, run=self._run, known=last)
        # Before anything is archived, so that what follows in the archive always means a crash.
        first = {LOG_ID: comparison.log.encode(), OLD_STANDING: b""}
        checkpoints = self._checkpoints(self._standing())
        self._log.append((), producer=PRODUCER, checkpoints=checkpoints | first)
        for number in numbers:
            if self._book.owner(number) is None:
                self._book.begin(number, comparison.log)
        keep_book(self._archive, self._book)
        if comparison.lacking:
            self.warn(lacking_warning(self._archive, comparison.lacking))
        if comparison.elsewhere and not comparison.standing.has:
            self.warn(f"{self._archive}: the log knows another archive; it goes on with this one")

    def _restore(
        self, machine: FeedMachine, saved: Mapping[str, bytes], comparison: ArchiveComparison
    ) -> ArchivePosition:
        """Restore a machine to the log's position; finish the files that the log has whole."""
        archive, standing = comparison.book.archive, comparison.standing
        if not machine.continuity.restore(saved, self._archive, archive, standing):
            self.warn(gap_warning(self._archive))
        for manifest in standing.finished:
            keep_manifest(self._archive, manifest)
        return msgspec.structs.replace(standing, finished=())

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
        standing = ArchivePosition(
            last.last, last.size or 0, None, (), last.lines, self._run, self._has, self._whole
        )
        # Compared by spans: a file at `last` that the log has whole has no end place.
        had = ArchivePosition(has=self._has)
        there = (file for file in archive_files(self._archive) if file.there)
        known = [(file, had.end_in(file.number)) for file in there]
        numbers = {file.number for file in files}
        taken = [file for file, end in known if end or file.number in numbers]
        joined = Joined(self._archive, taken).as_taken(had)
        for file, end in known:
            if end is not None:
                joined.pass_over(file, end)
        recall = Recall(standing, files, joined=not joined.is_one)
        for _ in self._recall(self._machine, recall, joined):
            progress(self.summary.ticks)
        progress(self.summary.ticks)
        if not joined.is_one:
            # A later reader of these files closes them too, where this log's own files follow.
            for connection in self.connections:
                self._machine.take(Closing(connection))
        self._has, self._whole, self.unknown = recall.standing.has, False, []
        self.commit()

    def _recall(
        self, machine: FeedMachine, recall: Recall, joined: Joined | None = None
    ) -> Iterator[None]:
        """Feed archived entries to a machine again and commit them; yields after each step."""
        if not recall.files:
            return
        recorded = Recalled(self.marks())

        def commit() -> None:
            checkpoints = self._checkpoints(recall.checkpoint(), machine) | recorded.checkpoints()
            self._log.append(machine.messages, producer=PRODUCER, checkpoints=checkpoints)
            recall.acknowledge(self._archive)
            machine.messages = []

        for entry in recall.entries():
            added = (entry,) if joined is None else joined.take(recall.standing.file, entry)
            for each in added:
                if isinstance(each, DeadLetter):
                    machine.refuse(each)
                    continue
                received = machine.take(each)
                recall.note(received.events, received.dead_letters)
                if type(each) is Heard:
                    machine.summary.lines += 1
                    recorded.add(each.frame)
            if len(machine.messages) >= self.batch_lines:
                commit()
                yield
        commit()
