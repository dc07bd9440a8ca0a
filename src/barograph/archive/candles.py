"""Answers with candles as they were received, byte for byte, each with its time.

`HOME/candles/SOURCE/PRODUCT/UNTIL/FROM-TO.gz` is one answer: a line of JSON about it, then the
body. The times of the name are those of the hours that were asked for, and the moment up to which
hours were known then: an answer that is there need not be asked for again.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import BadInputError
from barograph.files.disk import declared, read_regular, write_whole
from barograph.files.lines import chunks_of, packed
from barograph.files.packed import TornError
from barograph.times import format_time
from barograph.types import NS_PER_S
from barograph.venues.candle_pages import Hours

MAX_ANSWER_BYTES = 4 << 20
"""Of a kept answer, unpacked: a page is of half at most."""

FOLDER = "candles"


class AnswerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer answers: hours of a product from a source; `url` has no key in it."""

    source: str
    product: str
    from_s: int
    to_s: int
    until_s: int
    url: str
    receive_time_ns: int


class KeptAnswer(NamedTuple):
    """An answer's facts and its body."""

    facts: AnswerFacts
    body: bytes


class CandleArchive:
    """The answers about one product from one source, known up to `until_s` (Unix seconds)."""

    def __init__(self, home: Path, source: str, product: str, until_s: int) -> None:
        self._folder = home / FOLDER / source / product / _name(until_s)

    def find(self, hours: Hours) -> KeptAnswer | None:
        """The answer about these hours; None where there is none. Raises BadInputError."""
        path = self._path(hours)
        return _read(path) if path.exists() else None

    def keep(self, facts: AnswerFacts, body: bytes) -> None:
        """Keep an answer durably. Raises DiskFullError, BadInputError."""
        with declared(self._folder, len(body)):
            self._folder.mkdir(parents=True, exist_ok=True)
        content = packed(msgspec.json.encode(facts) + b"\n" + body)
        write_whole(self._path(Hours(facts.from_s, facts.to_s)), content)

    def _path(self, hours: Hours) -> Path:
        return self._folder / f"{_name(hours.from_s)}-{_name(hours.to_s)}.gz"


def kept_answers(home: Path) -> Iterator[KeptAnswer]:
    """Every answer that a home keeps, in the order of their names. Raises BadInputError."""
    for path in sorted((home / FOLDER).glob("*/*/*/*.gz")):
        yield _read(path)


def _read(path: Path) -> KeptAnswer:
    cure = "Move it away: it is asked for again"
    try:
        content = bytearray()
        for chunk in chunks_of(io.BytesIO(read_regular(path))):
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise BadInputError(str(path), f"it holds over {MAX_ANSWER_BYTES} bytes", cure)
        facts, _, body = bytes(content).partition(b"\n")
        return KeptAnswer(_decode(facts), body)
    except OSError as error:
        raise BadInputError(str(path), error.strerror or str(error), cure) from None
    except (TornError, *UNREADABLE) as error:
        raise BadInputError(str(path), f"it is damaged ({error})", cure) from None


_decode = msgspec.json.Decoder(AnswerFacts).decode


def _name(time_s: int) -> str:
    """`20241130T230000Z`: an hour as part of a file's name."""
    return format_time(time_s * NS_PER_S)[:19].replace("-", "").replace(":", "") + "Z"
