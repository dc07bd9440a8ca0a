"""The venue machines' state in the log: bounded, and written now and then.

A product that is held for a hole keeps its events with their bytes, so the state may be a hundred
thousand times what a commit adds to it. It is written with each commit while it is small, and when
enough was heard since where it is not; with it stands the place in the archive to which it belongs.
Who starts restores it and lets the machine hear once more what the log has of the archive beyond
that place. What comes of it is dropped: it is in the log.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

import msgspec

from barograph.archive.files import Place, archive_files, read_file
from barograph.archive.joined import Joined
from barograph.archive.standing import ArchivePosition, numbers_in
from barograph.files.lines import chunks_of, packed
from barograph.types import DeadLetter
from barograph.venues import sessions
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.continuity_state import Span
from barograph.venues.entries import Closing, Entry

SMALL_EVENTS = 32
"""With so many events held the state goes with every commit."""

_SELDOM_ENTRIES = 2_000
_PART_BYTES = 4 << 20
_STATE, _AT = "continuity", "continuity_at"


class At(msgspec.Struct, frozen=True):
    """To which place of which archive a state belongs, and in how many parts it is written."""

    archive: str
    place: Place = Place()
    parts: int = 1
    packed: bool = False


_at = msgspec.json.Decoder(At).decode


def at_of(saved: Mapping[str, bytes]) -> At | None:
    """Where the state among a log's checkpoints belongs; None of an older version's."""
    return _at(saved[_AT]) if _AT in saved else None


class ContinuityCheckpoint:
    """Decides when a machine's state is written, and brings it back."""

    def __init__(self, machine: Coinbase) -> None:
        self._machine = machine
        self._heard = 0

    def heard(self, entries: int) -> None:
        """Count entries that the machine took."""
        self._heard += entries

    def due(self, archive: str, place: Place) -> dict[str, bytes]:
        """The checkpoints that go with a commit which ends at this place; none where it can wait.

        None of them is larger than a log takes.
        """
        held = _held(self._machine)
        if held > SMALL_EVENTS and self._heard < max(_SELDOM_ENTRIES, 2 * held):
            return {}
        self._heard = 0
        state = self._machine.snapshot()
        is_large = len(state) > _PART_BYTES
        if is_large:
            state = packed(state)
        parts = [state[i : i + _PART_BYTES] for i in range(0, len(state), _PART_BYTES)]
        at = At(archive, place, len(parts), is_large)
        named = {_part(number): part for number, part in enumerate(parts)}
        return {_AT: msgspec.json.encode(at), **named}

    def restore(
        self, saved: Mapping[str, bytes], directory: Path, archive: str, standing: ArchivePosition
    ) -> bool:
        """Restore the machine to the log's position; return whether nothing needed was missing.

        Where something is missing, every connection is closed, so each of its products has a gap.
        """
        if _STATE not in saved:
            return True
        at = at_of(saved) or At(archive, standing.place)
        parts = min(at.parts, len(saved))  # it may be damaged
        state = b"".join(saved.get(_part(number), b"") for number in range(parts))
        if at.packed:
            state = b"".join(chunks_of(BytesIO(state)))
        self._machine.restore(state)
        if at.archive != archive:
            whole = _held(self._machine) <= SMALL_EVENTS
        else:
            whole = _is_there(directory, at.place, standing)
            _recall_spans(self._machine, directory, standing)
            for entry in _between(directory, at.place, standing):
                if not isinstance(entry, DeadLetter):
                    self._machine.take(entry)
                    self._heard += 1
        if not whole:
            for connection in self._machine.connections:
                self._machine.take(Closing(connection))
        return whole


def _part(number: int) -> str:
    return f"{_STATE}:{number}" if number else _STATE


def _held(machine: Coinbase) -> int:
    """Return how many events the state holds back."""
    continuity = machine.continuity
    held = sum(len(hold.queue) + len(hold.ticks) for hold in continuity.holds.values())
    return held + sum(len(line.waiting) for line in continuity.lines.values())


def _recall_spans(machine: Coinbase, directory: Path, standing: ArchivePosition) -> None:
    """Give lines of an older version, which have no spans, those of the log's archive files."""
    lines = machine.continuity.lines
    unknown = {product: line for product, line in lines.items() if line.since_ns is None}
    if not unknown:
        return
    spans: dict[str, list[Span]] = {product: [] for product in unknown}
    for file in archive_files(directory):
        if file.manifest is None or standing.end_in(file.number) is None:
            continue
        for product, counts in file.manifest.products.items():
            first_ns, last_ns = counts.first_event_time_ns, counts.last_event_time_ns
            if product in spans and first_ns is not None and last_ns is not None:
                spans[product].append((first_ns, last_ns))
    for product, line in unknown.items():
        sessions.recall(line, spans[product])


def _is_there(directory: Path, start: Place, standing: ArchivePosition) -> bool:
    """Whether nothing of what a log has behind a place was removed."""
    if start >= standing.place:
        return True
    files = {file.number: file for file in archive_files(directory)}
    for number in numbers_in(standing.has):
        file = files.get(number)
        if number < start.file:
            continue
        if file is None:
            return False
        if not file.there:
            # A removed file that ended before the place is not needed.
            ended = file.manifest is not None and file.manifest.bytes <= start.size
            if number != start.file or not ended:
                return False
        elif number == standing.file and file.path.stat().st_size < standing.size:
            return False
    return True


def _between(
    directory: Path, start: Place, standing: ArchivePosition
) -> Iterator[Entry | DeadLetter]:
    """Yield the entries that a log has of an archive behind a place."""
    if start >= standing.place:
        return
    ends = [(file, standing.end_in(file.number)) for file in archive_files(directory) if file.there]
    joined = Joined(directory, [file for file, end in ends if end]).as_taken(standing)
    for file, end in ends:
        if end is None:
            continue
        if file.number < start.file:
            joined.pass_over(file, end)
            continue
        size, lines = 0, 0
        if file.number == start.file:
            joined.pass_over(file, start)
            size, lines = start.size, start.lines
        for entry in read_file(file.path, size, end):
            if lines:
                lines -= 1
            else:
                yield from joined.take(file.number, entry)
