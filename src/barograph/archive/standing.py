"""Where a log stands in an archive, and what of it the log has."""

from collections.abc import Iterable, Sequence

import msgspec

from barograph.archive.files import Count, FileNumber, Place
from barograph.archive.manifest import ArchiveManifest


class Span(msgspec.Struct, frozen=True, array_like=True):
    """The files from `first` to `last`; the last one whole, or up to a place in it.

    That is `size` bytes, and `lines` lines after these. `joined`: the log took them in beside files
    of other logs, each recording once.
    """

    first: FileNumber
    last: FileNumber
    size: Count | None = None
    lines: Count = 0
    joined: bool = False


class ArchivePosition(msgspec.Struct, frozen=True):
    """Where a feed stands in an archive: it is kept in the log, with the events of what it took.

    `lines` are those after `size` bytes of the file. `counts` are those of the file at `place`,
    None where an older version wrote it. `finished` are manifests of files that were finished since
    the last commit, `run` is the feed's run. `has` are the files whose events the log has, the one
    at `place` up to there. `whole`: the log takes in the archive of every log, and is not done.
    """

    file: FileNumber = 0
    size: Count = 0
    counts: ArchiveManifest | None = None
    finished: tuple[ArchiveManifest, ...] = ()
    lines: Count = 0
    run: str = ""
    has: tuple[Span, ...] = ()
    whole: bool = False

    @property
    def place(self) -> Place:
        """The end of what the log has."""
        return Place(self.file, self.size, self.lines)

    def end_in(self, number: int) -> Place | None:
        """Return the place up to which the log has a file; None where it has nothing of it."""
        for span in reversed(self.has):
            if span.first <= number <= span.last:
                if number == self.file:
                    return self.place
                if number == span.last and span.size is not None:
                    return Place(number, span.size, span.lines)
                return Place(number, WHOLE)
        return None

    def is_joined(self, number: int) -> bool:
        """Whether a file was taken in beside those of other logs."""
        return any(span.joined for span in self.has if span.first <= number <= span.last)


WHOLE = 1 << 62
"""The size of a file of which all is meant."""


def with_file(has: Sequence[Span], number: int, *, joined: bool = False) -> tuple[Span, ...]:
    """Return the spans with a file added that follows all of them."""
    last = has[-1] if has else Span(0, 0, 0)
    if last.first <= number <= last.last:
        return (*has[:-1], Span(last.first, last.last, joined=last.joined))
    if last.last + 1 == number and last.size is None and last.joined == joined:
        return (*has[:-1], Span(last.first, number, joined=joined))
    return (*has, Span(number, number, joined=joined))


def ended_at(has: Sequence[Span], place: Place) -> tuple[Span, ...]:
    """Return the spans with the last file cut at `place`, beyond which it goes on."""
    if not has or has[-1].last != place.file:
        return tuple(has)
    last = has[-1]
    return (*has[:-1], Span(last.first, last.last, place.size, place.lines, last.joined))


def numbers_in(has: Iterable[Span]) -> list[int]:
    """Return the numbers of all files in these spans."""
    return [number for span in has for number in range(span.first, span.last + 1)]
