"""Archives that are pushed and pulled, and every moment at which that may be killed."""

from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import fsspec

from barograph.archive import object_store, pull, push
from barograph.archive.book import Book, OwnerLog, read_book
from barograph.archive.writer import ArchiveWriter
from barograph.venues.entries import Dialect, Heard, Opening
from coinbase_messages import frame, ticker

LOG = "log of the test"


def archived(directory, *files, book="the archive", run="r"):
    """An archive of finished files with ticks of these numbers, as a feed leaves it."""
    for numbers in files:
        writer = ArchiveWriter(directory)
        known = read_book(directory)
        known = known or Book(archive=book, logs={LOG: OwnerLog("log.sqlite", run)})
        writer.serve(known, LOG, "log.sqlite", run=run, known=0)
        writer.write(Opening(connection="c", dialect=Dialect.EXCHANGE))
        for number in numbers:
            writer.write(Heard(frame(ticker(number)), Dialect.EXCHANGE))
        writer.flush()
        writer.acknowledge()
        writer.close()
    return directory


def frames_of(directory):
    """The bytes of each file of an archive and of its manifest, by name."""
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.glob("0*"))
        if path.suffix in {".gz", ".json"}
    }


class KilledError(Exception):
    """Nothing of the process runs after it."""


@contextmanager
def killed_after(lives):
    """Raise KilledError where so many steps that change something were done.

    A copy into a folder is two: half of it is there before its last.
    """
    left = [lives]

    def dies():
        left[0] -= 1
        return left[0] < 0

    def dying(step):
        def do(*arguments, **options):
            if dies():
                raise KilledError
            return step(*arguments, **options)

        return do

    local = fsspec.get_filesystem_class("file")
    copy = local.put_file

    def halving(self, source, target, **options):
        if dies():
            raise KilledError
        if dies():
            content = Path(source).read_bytes()
            Path(target).write_bytes(content[: len(content) // 2])
            raise KilledError
        return copy(self, source, target, **options)

    fetched = object_store.ObjectStore.fetch

    def fetching(self, name, target):
        digest = fetched(self, name, target)
        if dies():
            target.write_bytes(target.read_bytes()[:-1])
            raise KilledError
        return digest

    with ExitStack() as patches:
        for module, name in (
            (object_store, "put_in_place"),
            (push, "keep_record"),
            (push, "_unlink"),
            (pull, "keep_record"),
            (pull, "keep_book"),
            (pull, "write_whole"),
            (pull, "put_in_place"),
        ):
            patches.enter_context(patch.object(module, name, dying(getattr(module, name))))
        patches.enter_context(patch.object(local, "put_file", halving))
        patches.enter_context(patch.object(object_store.ObjectStore, "fetch", fetching))
        yield
