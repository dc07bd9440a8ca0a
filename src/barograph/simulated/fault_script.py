"""Scripts of an exchange's faults: the kinds, their keys, and reading them from TOML."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from barograph.errors import BadInputError
from barograph.simulated.candle_faults import CandleFault
from barograph.types import NS_PER_S

_LATEST_S = 1e9
_CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}


class FaultKind(StrEnum):
    """Kinds of scripted faults."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    GARBAGE = "garbage"
    WRONG_TYPES = "wrong_types"
    OVERSIZED = "oversized"
    SILENCE = "silence"
    HALF_OPEN = "half_open"
    DISCONNECT = "disconnect"
    REFUSE = "refuse"
    SLOW_READER = "slow_reader"
    CLOCK_JUMP = "clock_jump"
    BURST = "burst"
    HALT = "halt"
    SEQUENCE_RESTART = "sequence_restart"
    REST_DOWN = "rest_down"
    REST_PARTIAL = "rest_partial"


_FRAMES = frozenset({"count", "product", "channel", "connection"})
_TAKES: Mapping[FaultKind, frozenset[str]] = {
    FaultKind.DROP: _FRAMES,
    FaultKind.DUPLICATE: _FRAMES,
    FaultKind.REORDER: _FRAMES,
    FaultKind.GARBAGE: _FRAMES,
    FaultKind.WRONG_TYPES: _FRAMES,
    FaultKind.OVERSIZED: _FRAMES | {"size_bytes"},
    FaultKind.SILENCE: frozenset({"seconds", "product", "channel", "connection"}),
    FaultKind.HALF_OPEN: frozenset({"connection"}),
    FaultKind.DISCONNECT: frozenset({"connection", "code"}),
    FaultKind.REFUSE: frozenset({"count"}),
    FaultKind.SLOW_READER: frozenset({"connection"}),
    FaultKind.CLOCK_JUMP: frozenset({"seconds", "connection"}),
    FaultKind.BURST: frozenset({"seconds", "connection"}),
    FaultKind.HALT: frozenset({"seconds", "product"}),
    FaultKind.SEQUENCE_RESTART: frozenset({"connection"}),
    FaultKind.REST_DOWN: frozenset({"seconds", "product"}),
    FaultKind.REST_PARTIAL: frozenset({"seconds", "count", "product"}),
}
"""Keys of each kind besides `kind` and `at_s`. A kind that takes `seconds` requires it."""

_COUNT: Mapping[FaultKind, int] = {FaultKind.REORDER: 2, FaultKind.REST_PARTIAL: 3}


class ScriptedFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One scripted fault; docs/simulated-exchange.md explains the keys of each kind.

    Raises ValueError for a key that the kind does not take, a missing key, and a number out of
    range. If not given, `count` and `size_bytes` become the defaults of the kind.
    """

    kind: FaultKind
    at_s: float
    seconds: float | None = None
    count: int = 0
    product: str | None = None
    channel: str | None = None
    connection: int | None = None
    size_bytes: int = 0
    code: int | None = None

    def __post_init__(self) -> None:
        takes = _TAKES[self.kind]
        for name in self.__struct_fields__[2:]:
            if name not in takes and getattr(self, name) not in {None, 0}:
                raise ValueError(f"{self.kind} takes no {name}")
        jump = self.kind is FaultKind.CLOCK_JUMP
        if "seconds" in takes and not (self.seconds and (jump or self.seconds > 0)):
            raise ValueError(f"{self.kind} needs seconds, {'not 0' if jump else 'above 0'}")
        if "count" in takes and not self.count:
            msgspec.structs.force_setattr(self, "count", _COUNT.get(self.kind, 1))
        if "size_bytes" in takes and not self.size_bytes:
            msgspec.structs.force_setattr(self, "size_bytes", 2 << 20)
        self._check_ranges()

    @property
    def counted(self) -> bool:
        """Whether it ends after `count` frames."""
        return _TAKES[self.kind] >= {"count", "channel"}

    @property
    def begins_ns(self) -> int:
        """`at_s` in nanoseconds of market time from the start."""
        return int(self.at_s * NS_PER_S)

    @property
    def span_ns(self) -> int:
        """`seconds` in nanoseconds, or 0."""
        return int((self.seconds or 0.0) * NS_PER_S)

    def _check_ranges(self) -> None:
        if not 0 <= self.at_s <= _LATEST_S or not abs(self.seconds or 0) <= _LATEST_S:
            raise ValueError(f"at_s and seconds lie within 0 to {_LATEST_S:g}")
        if self.count < 0 or not 0 <= self.size_bytes <= 1 << 28:
            raise ValueError("count or size_bytes is out of range")
        if self.connection is not None and self.connection < 1:
            raise ValueError("connections are counted from 1")
        if self.code is not None and self.code not in _CODES and not 3000 <= self.code < 5000:
            raise ValueError(f"{self.code} is not a close code that a server may send")


class FaultScript(msgspec.Struct, forbid_unknown_fields=True):
    """The tables of a script: faults of the market's feeds, and those of candles."""

    fault: list[ScriptedFault] = []
    candle_fault: list[CandleFault] = []


def read_script(path: Path) -> FaultScript:
    """Read a TOML file with `[[fault]]` and `[[candle_fault]]` tables. Raises BadInputError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(tables, FaultScript)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInputError(str(path), why, "Name a readable file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise BadInputError(
            str(path), str(error), "See docs/simulated-exchange.md for each fault"
        ) from None
