"""What the features of a series must obey, run over a machine and records of its source.

The same laws hold for the built-in features (`tests/feature_set/test_featurizer.py`): a row follows
from the records up to it, however they are cut into batches, wherever the machine is restored from
its checkpoints, whatever other keys do, and from no more of the past than it says.
"""

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import msgspec

from barograph import codec
from barograph.cases.live_series import LiveSeries
from barograph.errors import BadInputError, ForeignStateError
from barograph.machine import Machine
from barograph.types import FeatureRow, Outcome, Reason, Record

Oracle = Callable[[list[bytes]], Sequence[float | None]]
"""All values of a key so far, the newest last → the features of the row that the last one gave."""

_TRIES = 5
_ORACLE_ROWS = 200
_CLOSE = 1e-9
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHOWN = 300
_TOO_FEW = "not shown: the records span too little time for it, bring more (--limit)"

Rows = list[tuple[str, bytes]]
"""Key and bytes of each row, as a machine returns them."""


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """A law, whether it held, and where it did not the first place at which it broke.

    `shown` is false where the records were too few to break it.
    """

    law: str
    holds: bool
    broken: str = ""
    shown: bool = True


class FeatureCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked: `records` of the source gave `rows` of `keys` series, and the laws.

    `known` counts, for each column, the rows that had a value.
    """

    features: tuple[str, ...]
    records: int
    dead_letters: int
    keys: int
    rows: int
    known: dict[str, int]
    laws: list[Law]

    @property
    def ok(self) -> bool:
        """Whether every law held."""
        return all(law.holds for law in self.laws)


def check_features(
    live: LiveSeries,
    records: Sequence[Record],
    *,
    longest_window_s: int,
    oracle: Oracle | None = None,
    seed: int = 1,
) -> FeatureCheck:
    """Run every law over a series' machine and records of its source, in the order of the log.

    longest_window_s: how far back its features look, in seconds. oracle: an obvious computation of
    the same features, compared on the rows of the last records. Raises BadInputError for a series
    without a machine, and where the records give no row.
    """
    if live.machine is None:
        raise BadInputError(
            f"the series of {live.rows}",
            f"its rows are made by case {live.rows_by or 'of another series'}",
            "Name the case whose machine makes them",
        )
    made: object = live.machine()
    if not callable(getattr(made, "receive", None)):
        raise BadInputError(
            f"the series of {live.rows}", f"its machine() gives {made!r}, which receives nothing",
            "Let `machine` return a barograph.machine.Machine",
        )  # fmt: skip
    whole, refused = _run(live.machine, [records])
    if not whole:
        raise BadInputError(
            f"the series of {live.rows}",
            f"{len(records)} records of {live.source} gave no row, {refused} were refused",
            "Bring records from which rows follow, longer than the warm-up",
        )
    try:
        rows = [codec.decode_row(value) for _, value in whole]
    except codec.UnreadableError as error:
        raise BadInputError(
            f"the series of {live.rows}", f"a row cannot be read: {error}", "Return FeatureRow"
        ) from error
    chance = random.Random(seed)  # noqa: S311 - cuts of a test
    checks = [
        ("columns have plain names, each once", _names(live)),
        ("each row is one of the series, in the order of its seconds", _shape(live, whole, rows)),
        ("a value is known, or its reason says why not", _reasons(live, rows)),
        ("any cut into batches gives the same bytes", _cuts(live.machine, records, whole, chance)),
        (
            "restored from its checkpoints anywhere it gives the same bytes",
            _restores(live.machine, records, whole, chance),
        ),
        ("a row does not know what comes after it", _future(live.machine, records, whole, chance)),
        ("keys do not know each other", _keys(live.machine, records, whole)),
        (
            f"no value knows more than {longest_window_s} s of the past",
            _past(live, records, rows, longest_window_s),
        ),
    ]
    if oracle is not None:
        checks.append(("the oracle says the same", _oracle(live, records, oracle)))
    return FeatureCheck(
        features=live.columns,
        records=len(records),
        dead_letters=refused,
        keys=len({row.product for row in rows}),
        rows=len(rows),
        known={
            name: sum(row.values[place] is not None for row in rows if place < len(row.values))
            for place, name in enumerate(live.columns)
        },
        laws=[
            Law(
                law=law,
                holds=not broken or broken == _TOO_FEW,
                broken=broken[:_SHOWN],
                shown=broken != _TOO_FEW,
            )
            for law, broken in checks
        ],
    )


def _run(make: Callable[[], Machine], parts: Sequence[Sequence[Record]]) -> tuple[Rows, int]:
    machine, rows, refused = make(), [], 0
    for part in parts:
        outcome = _received(machine, part)
        rows += list(outcome.values)
        refused += len(outcome.dead_letters)
    return rows, refused


def _received(machine: Machine, records: Sequence[Record]) -> Outcome:
    """What a machine made of records. Raises BadInputError where that is no `Outcome` of bytes."""
    outcome: object = machine.receive(records)
    if not isinstance(outcome, Outcome) or not isinstance(outcome.values, list):
        raise _broken(machine, "receive", outcome, "Return barograph.types.Outcome(values, [])")
    for one in outcome.values:
        if not isinstance(one, tuple) or [type(part) for part in one] != [str, bytes]:
            cure = "Let its values be (key, msgspec.json.encode(row)) of FeatureRow"
            raise _broken(machine, "receive", one, cure)
    return outcome


def _snapshot(machine: Machine) -> Mapping[str, bytes]:
    """The checkpoints of a machine. Raises BadInputError where they are none."""
    checkpoints: object = machine.snapshot()
    if isinstance(checkpoints, Mapping):
        return checkpoints
    raise _broken(machine, "snapshot", checkpoints, "Return a dict of key to bytes")


def _broken(machine: object, method: str, returned: object, cure: str) -> BadInputError:
    kind = type(machine)
    return BadInputError(
        f"{kind.__module__}.{kind.__qualname__}.{method}",
        f"it returned {returned!r}"[:_SHOWN],
        cure,
    )


def _difference(whole: Rows, other: Rows, how: str) -> str:
    """Where two runs differ first in the rows of a key, in words; empty if they are equal."""
    sides = _by_key(whole), _by_key(other)
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        ours, theirs = (side.get(key, []) for side in sides)
        for place, (one, two) in enumerate(zip(ours, theirs, strict=False)):
            if one != two:
                said, wanted = (value.decode(errors="replace")[:100] for value in (two, one))
                return f"{how}, row {place} of {key}: {said}, not {wanted}"
        if len(ours) != len(theirs):
            return f"{how}: {len(theirs)} rows of {key}, not {len(ours)}"
    return ""


def _by_key(rows: Rows) -> dict[str, list[bytes]]:
    of: dict[str, list[bytes]] = {}
    for key, value in rows:
        of.setdefault(key, []).append(value)
    return of


def _names(live: LiveSeries) -> str:
    odd = [name for name in live.columns if not _NAME.fullmatch(name)]
    twice = sorted({name for name in live.columns if live.columns.count(name) > 1})
    if odd:
        return f"{odd[0]!r} is not of small letters, digits and _"
    return f"{twice[0]} is there twice" if twice else ""


def _shape(live: LiveSeries, whole: Rows, rows: Sequence[FeatureRow]) -> str:
    last: dict[str, int] = {}
    for (key, _), row in zip(whole, rows, strict=True):
        where = f"the row of {key} at second {row.second}"
        if row.product != key:
            return f"{where} goes out under {key}, and says {row.product}"
        if row.feature_set != live.feature_set:
            return f"{where} is of feature set {row.feature_set}, not {live.feature_set}"
        if len(row.values) != len(live.columns) or len(row.reasons) != len(live.columns):
            return (
                f"{where} has {len(row.values)} values and {len(row.reasons)} reasons for "
                f"{len(live.columns)} columns"
            )
        if row.second <= last.get(key, row.second - 1):
            return f"{where} comes after that of {last[key]}"
        if (row.second - last.get(key, row.second)) % live.step_s:
            return f"{where} is no multiple of {live.step_s} s after that of {last[key]}"
        last[key] = row.second
    return ""


def _reasons(live: LiveSeries, rows: Sequence[FeatureRow]) -> str:
    known = str(int(Reason.KNOWN))
    digits = {str(int(reason)) for reason in Reason}
    for row in rows:
        for name, value, reason in zip(live.columns, row.values, row.reasons, strict=False):
            where = f"{name} of {row.product} at second {row.second}"
            if reason not in digits:
                return f"{where} has the reason {reason!r}, which is none"
            if (value is not None) != (reason == known):
                return f"{where} is {value}, and its reason {Reason(int(reason)).name}"
            if value is not None and not math.isfinite(value):
                return f"{where} is {value}"
    return ""


def _cuts(
    make: Callable[[], Machine], records: Sequence[Record], whole: Rows, chance: random.Random
) -> str:
    one_by_one, _ = _run(make, [[record] for record in records])
    if broken := _difference(whole, one_by_one, "one record at a time"):
        return broken
    for _ in range(_TRIES):
        cuts = _some_cuts(len(records), chance)
        parts = [records[start:stop] for start, stop in pairwise([0, *cuts, len(records)])]
        if broken := _difference(whole, _run(make, parts)[0], f"cut at {cuts}"):
            return broken
    return ""


def _restores(
    make: Callable[[], Machine], records: Sequence[Record], whole: Rows, chance: random.Random
) -> str:
    for _ in range(_TRIES):
        cuts = _some_cuts(len(records), chance)
        machine = make()
        rows: Rows = []
        kept: dict[str, bytes] = {}
        for start, stop in pairwise([0, *cuts, len(records)]):
            rows += list(_received(machine, records[start:stop]).values)
            kept |= {key: bytes(state) for key, state in _snapshot(machine).items()}
            machine = make()
            try:
                machine.restore(kept)
            except ForeignStateError as error:
                return f"its own checkpoint after {stop} records is refused: {error}"
        if broken := _difference(whole, rows, f"restored after {cuts} records"):
            return broken
    return ""


def _future(
    make: Callable[[], Machine], records: Sequence[Record], whole: Rows, chance: random.Random
) -> str:
    for _ in range(_TRIES):
        cut = chance.randint(1, len(records))
        rows, _ = _run(make, [records[:cut]])
        lengths = {key: len(values) for key, values in _by_key(rows).items()}
        begun = [
            (key, value)
            for key, values in _by_key(whole).items()
            for value in values[: lengths.get(key, 0)]
        ]
        if broken := _difference(begun, rows, f"without what follows record {cut}"):
            return broken
    return ""


def _keys(make: Callable[[], Machine], records: Sequence[Record], whole: Rows) -> str:
    for key in sorted({record.key for record in records}):
        alone, _ = _run(make, [[record for record in records if record.key == key]])
        of_key = {row_key for row_key, _ in alone}
        beside = [row for row in whole if row[0] in of_key]
        if broken := _difference(beside, alone, f"records of {key} alone"):
            return broken
    return ""


def _past(
    live: LiveSeries, records: Sequence[Record], rows: Sequence[FeatureRow], longest_window_s: int
) -> str:
    """Start later, and compare the values from the longest window on."""
    assert live.machine is not None  # noqa: S101 - `check_features` refused it
    of_whole = {(row.product, row.second): row for row in rows}
    compared = 0
    for third in (1, 2):
        start = len(records) * third // 3
        late, _ = _run(live.machine, [records[start:]])
        first: dict[str, int] = {}
        for _, value in late:
            row = codec.decode_row(value)
            first.setdefault(row.product, row.second)
            if row.second < first[row.product] + longest_window_s + live.step_s:
                continue
            other = of_whole.get((row.product, row.second))
            if other is None:
                return f"{row.product} has a row at second {row.second} from record {start} on only"
            compared += 1
            for name, one, two in zip(live.columns, other.values, row.values, strict=False):
                if one != two:
                    return (
                        f"{name} of {row.product} at second {row.second} is {one}, and {two} where "
                        f"only the last {row.second - first[row.product]} s are known"
                    )
    return "" if compared else _TOO_FEW


def _oracle(live: LiveSeries, records: Sequence[Record], oracle: Oracle) -> str:
    assert live.machine is not None  # noqa: S101 - `check_features` refused it
    machine = live.machine()
    past: dict[str, list[bytes]] = {}
    compared: list[tuple[FeatureRow, list[bytes]]] = []
    for record in records:
        outcome = _received(machine, [record])
        if not outcome.dead_letters:
            past.setdefault(record.key, []).append(record.value)
        compared += [
            (codec.decode_row(value), list(past.get(key, []))) for key, value in outcome.values
        ]
        del compared[:-_ORACLE_ROWS]
    for row, values in compared:
        said: object = oracle(values)
        if not isinstance(said, Sequence):
            raise BadInputError(
                f"the oracle of the series of {live.rows}", f"it returned {said!r}"[:_SHOWN],
                "Return a list of one value, or None, for each column",
            )  # fmt: skip
        if len(said) != len(row.values):
            return f"it returns {len(said)} values for {len(row.values)} columns"
        for name, one, two in zip(live.columns, row.values, said, strict=False):
            same = one is None if two is None else one is not None and _close(one, two)
            if not same:
                return (
                    f"{name} of {row.product} at second {row.second} is {one}, the oracle's {two}"
                )
    return ""


def _close(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=_CLOSE, abs_tol=1e-15)


def _some_cuts(count: int, chance: random.Random) -> list[int]:
    return sorted(chance.randint(0, count) for _ in range(min(4, count)))
