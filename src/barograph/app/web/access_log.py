"""The access log: one JSON object a line for each request, in files of bounded size."""

from collections import deque
from pathlib import Path

import msgspec

from barograph.errors import BarographError
from barograph.files.disk import declared

MAX_BYTES = 16 << 20
"""From this size on the file becomes `access.1.ndjson`, in place of the one before."""

MAX_LINES = 10_000
"""Lines that wait to be written at most; more are dropped and counted."""

FILE, BEFORE = "access.ndjson", "access.1.ndjson"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One request: when it ended, who asked for what, the answer's status, bytes and time."""

    time_ns: int
    client: str
    method: str
    path: str
    status: int
    bytes: int
    milliseconds: float


class AccessLog:
    """Writes to `folder`. `add` only queues; `flush` writes, on another thread if wanted.

    Where the folder cannot be written, lines are dropped, and `problem` says why.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: deque[Access] = deque()
        self.dropped = 0
        self.problem = ""

    def add(self, access: Access) -> None:
        """Queue a line."""
        if len(self._lines) < MAX_LINES:
            self._lines.append(access)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Write what waits."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if not lines:
            return
        try:
            with declared(self._folder):
                self._write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        except (BarographError, OSError) as error:
            self.dropped += len(lines)
            self.problem = str(error)
        else:
            self.problem = ""

    def _write(self, lines: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / FILE
        if file.exists() and file.stat().st_size >= MAX_BYTES:
            file.replace(self._folder / BEFORE)
        with file.open("ab") as out:
            out.write(lines)
