"""A file that a person named: opened once, hashed as it is read, and watched while it is."""

import io
import os
import select
import stat
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from barograph.errors import BadInputError, FileChangedError
from barograph.foreign import one_line

WRITER_S = 10.0
"""How many seconds to wait for a pipe's writer, and after how many a quiet pipe is reported."""

_SETTLED_NS = 100_000_000
_CHECK_SHARE = 20
_POLL_MS = 200
_CHUNK_BYTES = 1 << 20
_NO_FILES = {
    stat.S_IFDIR: "it is a directory",
    stat.S_IFCHR: "it is a device or a terminal",
    stat.S_IFBLK: "it is a device",
    stat.S_IFSOCK: "it is a socket",
}


class _Look(NamedTuple):
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def seen(path: Path, *, pipes: bool = False) -> os.stat_result:
    """Return the status of a path, without opening it.

    Raises BadInputError for what cannot be read to an end: devices, sockets, directories, and,
    unless `pipes`, pipes.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFIFO and not pipes:
        cure = "Write what it gives into a file, and name that"
        raise BadInputError(str(path), "it is a pipe, and would be read twice", cure)
    if kind in _NO_FILES:
        cure = "Name a readable file" + (", or a pipe" if pipes else "")
        raise BadInputError(str(path), _NO_FILES[kind], cure)
    return status


def unreadable(path: Path, error: OSError) -> BadInputError:
    """Return the BadInputError for a file that the system could not read."""
    return BadInputError(str(path), error.strerror or str(error), "Name a readable file")


class InputFile(io.RawIOBase):
    """A readable file, or, with `pipes`, a pipe that is read to the end of its writers.

    Of a regular file nothing is read behind the size that it had when it was opened, so one that
    grows has an end. `position` counts the bytes that were read; `size` is None for a pipe.
    `waiting` is called once with a line for a person when a pipe has given nothing for WRITER_S.
    Never blocks beyond a signal. Raises BadInputError as `seen` and for a pipe that nobody writes
    into, FileChangedError where the file ends before its size.
    """

    def __init__(
        self,
        path: Path,
        *,
        pipes: bool = False,
        waiting: Callable[[str], object] = lambda _line: None,
    ) -> None:
        super().__init__()
        self.path, self.position = path, 0
        self._waiting, self._warned = waiting, False
        self._hash = sha256()
        self._descriptor = -1
        seen(path, pipes=pipes)  # before it is opened: that can be an act of its own on a device
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise unreadable(path, error) from None
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self._look, self._looked_ns = _look(status), time.time_ns()
        self._check_at_s = 0.0
        # An unnamed pipe already has its writer.
        self._had_writer = "pipe:[" in os.path.realpath(path)

    @property
    def name(self) -> str:
        """The file's own name as it may be shown."""
        return one_line(self.path.name)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was read so far, in hexadecimal."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read into the buffer; return the number of bytes, 0 at the end."""
        chunk = self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        self.position += len(chunk)
        self._hash.update(chunk)
        return len(chunk)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if not self.closed and self._descriptor >= 0:
            os.close(self._descriptor)
        super().close()

    def refuse_if_changed(self, *, wholly: bool = True) -> bool:
        """Whether what was read is what the file begins with now; raises FileChangedError if not.

        Where the system says that nobody wrote to the file, that is enough; else it is read again
        as far as it was read. Unless `wholly`, that takes a twentieth of the time at most: False
        says that it was not looked into.
        """
        if self.size is None:
            return True
        try:
            look, now_ns = _look(self.path.stat()), time.time_ns()
        except OSError as error:
            raise FileChangedError(str(self.path), error.strerror or str(error)) from None
        # A write within the clock's resolution of the last check would not change the file's times.
        settled = self._looked_ns - max(look.modified_ns, look.changed_ns) > _SETTLED_NS
        if look == self._look and settled:
            return True
        if look.size < self.position:
            raise self._cut(look.size)
        began_s = time.monotonic()
        if not wholly and began_s < self._check_at_s:
            return False
        if self._hash_of_beginning() != self._hash.digest():
            raise FileChangedError(str(self.path), "what was read of it is not there any more")
        self._look, self._looked_ns = look, now_ns
        ended_s = time.monotonic()
        self._check_at_s = ended_s + _CHECK_SHARE * (ended_s - began_s)
        return True

    def _cut(self, size: int) -> FileChangedError:
        return FileChangedError(str(self.path), f"it was cut from {self.size} to {size} bytes")

    def _hash_of_beginning(self) -> bytes:
        hashed, left = sha256(), self.position
        try:
            with self.path.open("rb") as file:
                while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                    hashed.update(chunk)
                    left -= len(chunk)
        except OSError as error:
            raise FileChangedError(str(self.path), error.strerror or str(error)) from None
        return hashed.digest()

    def _read(self, most: int) -> bytes:
        if self.size is not None:
            most = min(most, self.size - self.position)
        try:
            chunk = os.read(self._descriptor, most) if self.size is not None else self._piped(most)
        except OSError as error:
            raise unreadable(self.path, error) from None
        if self.size is not None and not chunk and self.position < self.size and most:
            raise self._cut(self.position)
        return chunk

    def _piped(self, most: int) -> bytes:
        poll, began_s = select.poll(), time.monotonic()
        poll.register(self._descriptor, select.POLLIN)
        while True:
            try:
                chunk = os.read(self._descriptor, most)
            except BlockingIOError:
                self._had_writer = True
            else:
                hung_up = any(event & select.POLLHUP for _, event in poll.poll(0))
                if chunk or self._had_writer or self.position or hung_up:
                    return chunk
            poll.poll(_POLL_MS)
            if time.monotonic() - began_s > WRITER_S:
                self._be_patient()

    def _be_patient(self) -> None:
        if not self._had_writer:
            raise BadInputError(
                str(self.path),
                f"nobody writes into this pipe, for {WRITER_S:.0f} s",
                "Start what writes into it first",
            )
        if not self._warned:
            self._warned = True
            self._waiting(f"{self.path.name}: waiting for what is written into it; Ctrl-C ends it")


def _look(status: os.stat_result) -> _Look:
    return _Look(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )
