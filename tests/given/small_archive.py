"""An archive of a few frames, for tests, and what stands in one."""

from archive_contents import read_archive
from barograph.archive.writer import ArchiveWriter
from barograph.types import DeadLetter, Frame
from barograph.venues.entries import Dialect, Heard


def heard(data=b'{"a": 1}', receive_time_ns=None):
    return Heard(
        Frame(data=data, connection="c", receive_time_ns=receive_time_ns), Dialect.EXCHANGE
    )


def write(directory, *datas):
    writer = ArchiveWriter(directory)
    for data in datas:
        writer.write(heard(data))
    place = writer.flush().place
    writer.close()
    return place


def datas(directory, after=None):
    entries = list(read_archive(directory, after))
    return [e.frame.data for e in entries if isinstance(e, Heard)], [
        e for e in entries if isinstance(e, DeadLetter)
    ]
