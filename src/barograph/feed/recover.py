"""Recover: the archive's files that a log does not know, into the log.

A log that was lost, or restored from an older copy, gets what it lacks from the frames, in their
order: afterwards it has the events that the archive gives.
"""

import shlex
from collections.abc import Callable
from pathlib import Path

import msgspec

from barograph.archive.book import address_in, read_book
from barograph.archive.files import ArchiveFile, existing_files
from barograph.errors import BadInputError
from barograph.feed.feed import Feed
from barograph.feed.summary import Summary
from barograph.log import Log
from barograph.log.topics import TICKS


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What a log took in: `files` of the archive, and what came of them. None: it knew all."""

    log: str
    files: list[str]
    feed: Summary


def recover(
    log: Log,
    archive: Path,
    *,
    partitions: int = 3,
    warn: Callable[[str], None] = lambda _message: None,
    progress: Callable[[int], None] = lambda _ticks: None,
) -> Recovered:
    """Take in all files of an archive that a log does not know; one cut off goes on.

    A log that is new, at an address where none stood, takes in the files of every log, each
    recording once. progress: called with the ticks so far. Raises BadInputError where there is no
    archive, while another feed writes there, and where the log has later events already.
    """
    existing_files(archive)
    book = read_book(archive)
    stood = book is not None and bool(book.stood_at(address_in(archive, log.address)))
    feed = Feed(log, archive, partitions=partitions, warn=warn)
    try:
        is_new = _is_new(feed, log)
        files = feed.unknown
        everything = is_new and not stood
        if everything:
            files = [file for file in existing_files(archive) if file.there]
        if files and not _can_follow(feed, log, files):
            raise _too_late(log, archive, files)
        feed.take_in(files, whole=everything, progress=progress)
    finally:
        feed.close()
    return Recovered(log=log.address, files=[file.path.name for file in files], feed=feed.summary)


def unknown_files_line(feed: Feed, log: Log, archive: Path) -> str:
    """Say that there are files to recover, and by which command, before and after new events."""
    count = len(feed.unknown)
    them, it = ("1 file", "it") if count == 1 else (f"{count:,} files", "them")
    unknown = f"the archive has {them} that this log does not know"
    if not _can_follow(feed, log, feed.unknown):
        return f"{unknown}, and the log has later events: `{_rebuild(archive)}` makes one of all"
    elsewhere = address_in(archive, log.address) != "log.sqlite"
    address = ["--log", log.address] if elsewhere else []
    return (
        f"{unknown}: stop, and `{_command(archive, *address)}` takes {it} in; "
        f"behind new events only a log made anew can have {it}"
    )


def _is_new(feed: Feed, log: Log) -> bool:
    return not feed.has_files and not any(each.next for each in log.extents(TICKS))


def _can_follow(feed: Feed, log: Log, files: list[ArchiveFile]) -> bool:
    """Whether all that the log has comes before these files."""
    return feed.comes_before(files[0]) or _is_new(feed, log)


def _too_late(log: Log, archive: Path, files: list[ArchiveFile]) -> BadInputError:
    return BadInputError(
        log.address,
        f"it has later events than those of {len(files):,} files that it does not know",
        f"Make a log of the whole archive (`{_rebuild(archive)}`), and use it from then on",
    )


def _rebuild(archive: Path) -> str:
    """The command that makes a log of the whole archive, where there is none yet."""
    home, again = archive.absolute().parent, 1
    path = home / "rebuilt.sqlite"
    while path.exists():
        again += 1
        path = home / f"rebuilt-{again}.sqlite"
    return _command(archive, "--log", f"sqlite:///{path}")


def _command(archive: Path, *words: str) -> str:
    return shlex.join(["barograph", "recover", "--home", str(archive.parent), *words])
