"""The archive moved to an object store: what may go from this disk is asked of the log."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from barograph.archive.book import address_in
from barograph.archive.files import archive_files, existing_files
from barograph.archive.object_store import open_store
from barograph.archive.push import Pushed, push
from barograph.archive.recall import PRODUCER, compare
from barograph.log import file_of, open_log


def move(  # noqa: PLR0913 - what a home and its verb say
    archive: Path,
    url: str,
    *,
    lake: Path,
    log: str | Path,
    remove: bool,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Pushed:
    """Push an archive and its lake, and with `remove` free this disk of what need not lie here.

    log: the address of the one that has to know a file before it goes. Raises as `open_store` and
    `push` do, and where the log cannot be read.
    """
    existing_files(archive)  # before anybody is asked
    store = open_store(url)
    unknown = unknown_to(log, archive) if remove else None
    return push(archive, store, lake=lake, unknown=unknown, progress=progress)


def unknown_to(log: str | Path, archive: Path) -> frozenset[str]:
    """Return the names of the archive's files that a log has not taken in: all without a log.

    A file of another log of the archive is finished only once that one has it.
    """
    file = file_of(log)
    if file is not None and not file.exists():
        return frozenset(each.path.name for each in archive_files(archive))
    with closing(open_log(log)) as opened:
        saved = opened.producer_checkpoints(PRODUCER, take=False)
        unknown = compare(archive, saved, address_in(archive, opened.address)).unknown
    return frozenset(each.path.name for each in unknown)
