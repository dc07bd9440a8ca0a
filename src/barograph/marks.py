"""How far recordings were taken, and by what a recording is known again: also one that has grown.

A recording is known by its first lines, up to the first one that tells a time, and by a hash of all
lines that were taken of it. So it may grow, be packed or be given another name; where the lines
that were taken are not what it begins with any more, it is refused.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256

import msgspec

from barograph.errors import BadInputError
from barograph.lines import BadLine, Unended, file_sha256
from barograph.recording import Recording, Taken, connection_named

_KEY, _KEY_OF_FILE = "recording:", "file:"

Lines = Iterator[tuple[int, bytes | BadLine]]


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a recording is: lines taken, their hash, and whether that was all there was.

    `end` is the hash of an unfinished last line, which became a dead letter and is read again when
    the recording has grown. `sure` is a mark before this one up to which the file was seen not to
    change. `connection` is that of its frames where an older version began it; such a mark has no
    hash and stands under that of the whole file.
    """

    lines: int = 0
    done: bool = False
    sha256: str = ""
    end: str = ""
    sure: "Mark | None" = None
    connection: str = ""


_decode = msgspec.json.Decoder(Mark).decode
_NOTHING = Mark()


def end_of(line: bytes | BadLine) -> str:
    """The `Mark.end` of a last line; nothing of one that is whole."""
    if isinstance(line, BadLine):
        return "" if line.ended else sha256(line.detail.encode() + line.original).hexdigest()
    return sha256(line).hexdigest() if type(line) is Unended else ""


class Passage:
    """One reading of a recording from where the last one ended.

    `mark` is what was taken before; `taken` grows from there; `lines` gives what follows. `key` is
    the name under which the log keeps the mark. Opens the recording. Raises BadInputError where it
    begins like one that is known, and has other lines now or fewer.
    """

    def __init__(self, recording: Recording, saved: Mapping[str, bytes]) -> None:
        self._recording = recording
        self.key, self.mark = self._known(saved)
        self.lines, self.taken = self._found()

    def _known(self, saved: Mapping[str, bytes]) -> tuple[str, Mark]:
        known, mark = _KEY, _NOTHING
        for head in self._recording.open():
            known = _KEY + head.sha256
            if known in saved:
                found = _decode(saved[known])
                # Before a line with a time came, others may have begun like that.
                mark = found if found.lines <= head.lines else mark
        if known in saved:
            mark = _decode(saved[known])
        if mark is _NOTHING and self._recording.can_begin_again:
            mark = self._known_as_file(saved)
        if mark.connection:
            self._recording.connection = mark.connection
        return known, mark

    def _known_as_file(self, saved: Mapping[str, bytes]) -> Mark:
        """What an older version kept of the same file."""
        if not any(key.startswith(_KEY_OF_FILE) for key in saved):
            return _NOTHING
        digest = file_sha256(self._recording.path)
        if (found := saved.get(_KEY_OF_FILE + digest)) is None:
            return _NOTHING
        return msgspec.structs.replace(_decode(found), connection=connection_named(digest))

    def _found(self) -> tuple[Lines, Taken]:
        tried: Mark | None = self.mark
        while tried is not None:
            lines, taken = self._recording.lines(), Taken()
            if _passed(lines, taken, tried):
                return lines, taken
            tried = tried.sure if self._recording.can_begin_again else None
        raise BadInputError(
            str(self._recording.path),
            f"it begins like a recording of which {self.mark.lines:,} lines were taken, and does "
            "not go on like that",
            "Restore it as it was, or replay it into a fresh --home",
        )


def _passed(lines: Lines, taken: Taken, mark: Mark) -> bool:
    """Go behind the lines that were taken; whether they are these."""
    if mark.lines == 0:
        return True
    for number, line in lines:
        taken.add(number, line)
        if number >= mark.lines:
            return taken.lines == mark.lines and mark.sha256 in {"", taken.passed().sha256}
    return False
