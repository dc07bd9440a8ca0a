"""How far recordings were taken, and by what a recording is known again: also one that has grown.

A recording is known by its first lines, up to the first one that tells a time, and by a hash of all
lines that were taken of it. So it may grow, be packed or be given another name; where the lines
that were taken are not what it begins with any more, it is refused.

What a log took of a recording from the archive has no line numbers: there the frames count, behind
the last line that the mark of that log knows.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from barograph.archive.recording import Recording
from barograph.archive.taken import REPLAY, Taken, connection_named
from barograph.errors import BadInputError
from barograph.files.lines import BadLine, Lines, Unended, file_sha256
from barograph.types import Frame

_KEY, _KEY_OF_FILE, _KEY_OF_FRAMES = "recording:", "file:", "recalled:"


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


class Frames(msgspec.Struct, frozen=True):
    """What a log took of a recording from the archive: a number of frames, and their hash."""

    number: int = 0
    sha256: str = ""

    def with_one(self, data: bytes) -> "Frames":
        """Return these frames and one more."""
        return Frames(self.number + 1, sha256(self.sha256.encode() + data).hexdigest())


_decode = msgspec.json.Decoder(Mark).decode
_decode_frames = msgspec.json.Decoder(Frames).decode
_NOTHING = Mark()


class Recalled:
    """Counts the frames of recordings that come from the archive. `saved`: what the log has."""

    def __init__(self, saved: Mapping[str, bytes]) -> None:
        self._saved = saved
        self._frames: dict[str, Frames] = {}

    def add(self, frame: Frame) -> None:
        """Count a frame, of whichever recording its connection belongs to."""
        if frame.connection.startswith(REPLAY):
            key = _KEY_OF_FRAMES + frame.connection.partition("/")[0] + "/"
            known = self._frames.get(key) or _frames_in(self._saved, key)
            self._frames[key] = known.with_one(frame.data)

    def checkpoints(self) -> dict[str, bytes]:
        """Return the checkpoints that the log must store."""
        return {key: msgspec.json.encode(frames) for key, frames in self._frames.items()}


def _frames_in(saved: Mapping[str, bytes], key: str) -> Frames:
    return _decode_frames(saved[key]) if saved.get(key) else Frames()


def end_of(line: bytes | BadLine) -> str:
    """Return the `Mark.end` of a last line; empty for a whole line."""
    if isinstance(line, BadLine):
        return "" if line.ended else sha256(line.detail.encode() + line.original).hexdigest()
    return sha256(line).hexdigest() if type(line) is Unended else ""


class Passage:
    """One reading of a recording from where the last one ended.

    `mark` is what was taken before; `taken` grows from there; `lines` gives what follows. `is_kept`
    says whether the log has the mark in this form. Opens the recording. Raises BadInputError where
    it begins like one that is known, and has other lines now or fewer.
    """

    def __init__(self, recording: Recording, saved: Mapping[str, bytes]) -> None:
        self._recording = recording
        self._recalled: dict[str, Frames] = {}
        self._key, self.mark = self._known(saved)
        self.is_kept = bool(self.mark.sha256) and not self._recalled
        self.lines, self.taken = self._start()

    def checkpoints(self, mark: Mark) -> dict[str, bytes]:
        """Return the checkpoints that the log must store with the lines up to a mark."""
        return {self._key: msgspec.json.encode(mark), **dict.fromkeys(self._recalled, b"")}

    def _known(self, saved: Mapping[str, bytes]) -> tuple[str, Mark]:
        known, mark = _KEY, _NOTHING
        for head in self._recording.open():
            known = _KEY + head.sha256
            self._note_frames(saved, connection_named(head.sha256))
            if known in saved:
                kept = _decode(saved[known])
                # Until a line with a time comes, another recording may begin the same way.
                mark = kept if kept.lines <= head.lines else mark
        if known in saved:
            mark = _decode(saved[known])
        if mark is _NOTHING and not self._recalled and self._recording.can_begin_again:
            mark = self._known_as_file(saved)
        if mark.connection:
            self._recording.connection = mark.connection
            self._note_frames(saved, mark.connection)
        return known, mark

    def _note_frames(self, saved: Mapping[str, bytes], connection: str) -> None:
        key = _KEY_OF_FRAMES + connection
        if saved.get(key):
            self._recalled[key] = _decode_frames(saved[key])

    def _known_as_file(self, saved: Mapping[str, bytes]) -> Mark:
        """Return the mark that an older version stored for the same file."""
        if not any(
            value and key.startswith((_KEY_OF_FILE, _KEY_OF_FRAMES)) for key, value in saved.items()
        ):
            return _NOTHING
        digest = file_sha256(self._recording.path)
        connection = connection_named(digest)
        kept = saved.get(_KEY_OF_FILE + digest)
        if kept is None and not saved.get(_KEY_OF_FRAMES + connection):
            return _NOTHING
        mark = _NOTHING if kept is None else _decode(kept)
        return msgspec.structs.replace(mark, connection=connection)

    def _start(self) -> tuple[Lines, Taken]:
        if self._recalled:
            return self._start_behind_frames()
        tried: Mark | None = self.mark
        while tried is not None:
            lines, taken = self._recording.lines(), Taken()
            if _passed(lines, taken, tried):
                return lines, taken
            tried = tried.sure if self._recording.can_begin_again else None
        raise self._is_another(f"{self.mark.lines:,} lines were taken")

    def _start_behind_frames(self) -> tuple[Lines, Taken]:
        """Skip the lines up to the mark, then the frames that the log took from the archive."""
        several = list(self._recalled.values())
        # Frames under a shorter beginning may belong to another recording with that beginning.
        tries = [several, several[-1:]] if self._recording.can_begin_again else [several]
        for frames in tries:
            lines, taken = self._recording.lines(), Taken()
            if _passed(lines, taken, self.mark) and all(
                self._passed_frames(lines, taken, each) for each in frames
            ):
                passed = taken.passed()
                self.mark = msgspec.structs.replace(
                    self.mark,
                    lines=passed.lines,
                    sha256=passed.sha256,
                    done=True,
                    end="",
                    sure=None,
                )
                return lines, taken
        number = sum(frames.number for frames in several)
        raise self._is_another(f"the log took {number:,} frames from the archive")

    def _passed_frames(self, lines: Lines, taken: Taken, frames: Frames) -> bool:
        """Skip past the line of the last of these frames; return whether all are there."""
        so_far = Frames()
        for number, line in lines:
            taken.add(number, line)
            if (frame := self._recording.frame_of(line)) is not None:
                so_far = so_far.with_one(frame.data)
                if so_far.number == frames.number:
                    break
        return so_far == frames

    def _is_another(self, taken: str) -> BadInputError:
        return BadInputError(
            str(self._recording.path),
            f"it begins like a recording of which {taken}, and does not go on like that",
            "Restore it as it was, or replay it into a fresh --home",
        )


def _passed(lines: Lines, taken: Taken, mark: Mark) -> bool:
    """Skip the lines that were taken; return whether their hash is that of the mark."""
    if mark.lines == 0:
        return True
    for number, line in lines:
        taken.add(number, line)
        if number >= mark.lines:
            return taken.lines == mark.lines and mark.sha256 in {"", taken.passed().sha256}
    return False
