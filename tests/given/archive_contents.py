"""What stands in all files of an archive, for tests."""

from barograph.archive.files import Place, numbered_files, read_file


def archive_end(directory):
    """Where an archive ends as it lies on disk; `Place()` where there is none."""
    last = Place()
    for number, path in numbered_files(directory):
        last = Place(number, path.stat().st_size)
    return last


def read_archive(directory, after=None):
    """Everything in an archive, in order; or what comes after a place. See `read_file`."""
    start = after or Place()
    for number, path in numbered_files(directory):
        if number >= start.file:
            yield from read_file(path, start.size if number == start.file else 0)
