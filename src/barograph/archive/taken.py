"""What is taken of a recording, line by line, and by what a recording is known again."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from barograph.files.lines import BadLine

REPLAY = "replay:"
"""What the name of every recording's connection begins with."""

OF_ARCHIVES = f"{REPLAY}archive/"
"""What the names of all connections begin with that an archive's files are replayed on.

They are the same in all of its files: a connection goes on from one to the next.
"""


class Passed(NamedTuple):
    """The number of the last of some lines, and the hash of all of them that are not blank."""

    lines: int
    sha256: str


class Taken:
    """Lines that are taken one after the other, as they count for what a recording is."""

    def __init__(self) -> None:
        self.lines = 0
        self._hash = sha256()

    def add(self, number: int, line: bytes | BadLine) -> None:
        """Add a line; one that is too long counts by its length and its beginning."""
        if isinstance(line, BadLine):
            self._hash.update(line.detail.encode() + line.original)
        elif not line or line.isspace():
            return
        else:
            self._hash.update(line)
        self._hash.update(b"\n")
        self.lines = number

    def add_all(self, last: int, lines: Sequence[bytes]) -> None:
        """Add lines that are not blank; `last` is the number of the last of them."""
        self._hash.update(b"\n".join([*lines, b""]))
        self.lines = last

    def passed(self) -> Passed:
        """Return the lines taken so far."""
        return Passed(self.lines, self._hash.hexdigest())


def connection_named(digest: str) -> str:
    """What the names of the connections of a recording begin with that is known by a hash."""
    return f"{REPLAY}{digest[:12]}/"
