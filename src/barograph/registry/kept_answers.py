"""What a server last answered and the files that it gave, kept under the home.

So that a start while the server is away goes on with the last known champion. A file is kept under
its SHA-256 and read again only if it still has that.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import BarographError
from barograph.files.disk import read_regular, write_whole
from barograph.registry.model import sha256_of
from barograph.registry.versions import Version

FOLDER = "registry-cache"
"""Under the home."""

KEPT_BYTES = 512 << 20
"""Of files; those that were read longest ago go first, and never those of an alias."""

_KEPT_VERSIONS = 50
_SERVER = "server.json"


class CaseAnswer(msgspec.Struct, frozen=True):
    """What a server says of a case: its aliases, and its promotion history as text."""

    aliases: dict[str, int] = {}
    audit: list[str] = []


class _Known(msgspec.Struct, frozen=True):
    """What is known of a case."""

    answer: CaseAnswer
    versions: dict[int, Version]


class KeptAnswers:
    """The answers of one server, under a home. Safe for several processes; not thread-safe.

    What cannot be written is not kept: the server has it. Nothing is made where there is no home.
    """

    def __init__(self, home: Path, address: str) -> None:
        self._home = home.absolute()
        self._root = self._home / FOLDER / sha256_of(address.encode())[:16]
        self._files = self._root / "files"
        self._address = address

    def answer(self, case: str) -> CaseAnswer | None:
        """What the server last said of a case; None where that is not known."""
        known = self._known(case)
        return None if known is None else known.answer

    def version(self, case: str, number: int) -> Version | None:
        """A version as the server last gave it."""
        known = self._known(case)
        return None if known is None else known.versions.get(number)

    def versions(self, case: str) -> list[Version] | None:
        """The versions that are known, oldest first; None where none is."""
        known = self._known(case)
        if known is None or not known.versions:
            return None
        return [known.versions[each] for each in sorted(known.versions)]

    def keep_answer(self, case: str, answer: CaseAnswer) -> None:
        """Keep what the server says of a case."""
        known = self._known(case)
        if known is None or known.answer != answer:
            self._write(case, _Known(answer, {} if known is None else known.versions))

    def keep_version(self, case: str, version: Version) -> None:
        """Keep a version of which an answer is kept."""
        known = self._known(case)
        if known is None or known.versions.get(version.version) == version:
            return
        versions = known.versions | {version.version: version}
        pointed = set(known.answer.aliases.values()) | {version.version}
        for number in sorted(versions)[:-_KEPT_VERSIONS]:
            if number not in pointed:
                del versions[number]
        self._write(case, _Known(known.answer, versions))

    def file(self, sha256: str) -> bytes | None:
        """The file with this hash, if it is kept."""
        path = self._file(sha256)
        try:
            content = read_regular(path)
        except OSError:
            return None
        if sha256_of(content) != sha256:
            return None
        with suppress(OSError):  # of a home that cannot be written
            os.utime(path)
        return content

    def keep_file(self, sha256: str, content: bytes) -> None:
        """Keep a file whose hash was compared, and remove what was read longest ago."""
        if not self._home.is_dir() or len(content) > KEPT_BYTES:
            return
        with suppress(OSError, BarographError):  # a full disk, or a home that cannot be written
            self._files.mkdir(parents=True, exist_ok=True)
            write_whole(self._file(sha256), content)
            self._make_room({sha256} | set(self._pointed()))

    def _make_room(self, needed: Collection[str]) -> None:
        files = [(path.stat(), path) for path in self._files.iterdir()]
        total = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda one: one[0].st_mtime_ns):
            if total <= KEPT_BYTES:
                return
            if path.name not in needed:
                path.unlink(missing_ok=True)
                total -= stat.st_size

    def _pointed(self) -> Iterator[str]:
        """The hashes of the files of versions with an alias."""
        for path in self._root.glob("*.case.json"):
            known = _read(path)
            for number in known.answer.aliases.values() if known else ():
                if known and number in known.versions:
                    tags = known.versions[number].tags
                    yield from (tags[name] for name in tags if name.endswith("_sha256"))

    def _file(self, sha256: str) -> Path:
        return self._files / sha256

    def _path(self, case: str) -> Path:
        return self._root / f"{quote(case, safe='')}.case.json"

    def _known(self, case: str) -> _Known | None:
        return _read(self._path(case))

    def _write(self, case: str, known: _Known) -> None:
        if not self._home.is_dir():
            return
        with suppress(OSError, BarographError):  # a full disk, or a home that cannot be written
            self._root.mkdir(parents=True, exist_ok=True)
            if not (self._root / _SERVER).exists():  # for who looks what the folder is of
                address = msgspec.json.encode({"address": self._address})
                write_whole(self._root / _SERVER, address)
            write_whole(self._path(case), msgspec.json.encode(known))


def _read(path: Path) -> _Known | None:
    """What a file says; None where there is none, or one that cannot be read."""
    try:
        return msgspec.json.decode(read_regular(path), type=_Known)
    except (OSError, *UNREADABLE):
        return None
