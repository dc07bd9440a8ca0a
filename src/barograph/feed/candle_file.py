"""Candles from files as others publish them: CSV or Parquet, packed or not, in any known columns.

Times are of the open: Unix seconds, milli-, micro- or nanoseconds, or ISO texts; a text without a
zone is UTC. Nothing is left out here but the candle that had not ended: the gate judges the rest.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import polars as pl

from barograph.candle_records import HOUR_S
from barograph.errors import BadInputError
from barograph.evaluation.quality_report import SCHEMA, TEXTS
from barograph.feed.candle_columns import HEADERLESS, columns_of, folded
from barograph.files.input_file import InputFile
from barograph.files.lines import chunks_of
from barograph.files.packed import TornError
from barograph.files.parquet_rows import arrow_stream
from barograph.files.tables import DELIMITERS
from barograph.foreign import first_few

MAX_TABLE_BYTES = 512 << 20
"""Of a file, unpacked: ten years of minutes take half."""

STEPS_S = {60: "minutes", 300: "five minutes", 900: "quarters of an hour", HOUR_S: "hours"}
"""Steps of candles that can be read; shorter ones than an hour are joined to hours."""

_NEEDED = ("time", "open", "high", "low", "close", "volume")
_PARQUET = b"PAR1"
_NUMBER = re.compile(r"\s*-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*").fullmatch
_LOOKED_AT = 5  # lines in which a header is looked for
_UNITS = (
    (1e11, 1, "Unix seconds"),
    (1e14, 10**3, "Unix milliseconds"),
    (1e17, 10**6, "Unix microseconds"),
    (float("inf"), 10**9, "Unix nanoseconds"),
)
"""Times below a number, how many make a second, and what they are."""

_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z",
)  # fmt: skip
_NAIVE = (
    "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
    "%Y-%m-%d %I:%M %p", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S%.f", "%Y-%m-%d",
)  # fmt: skip


class CandleTable(NamedTuple):
    """A file's candles as SCHEMA, in the order of the file or reversed where newest came first.

    `form` says how the file was read, for a person. `unfinished` candles at its end had not ended.
    """

    frame: pl.DataFrame
    form: str
    step_s: int
    unfinished: int


class _Read(NamedTuple):
    frame: pl.DataFrame
    first_line: int
    form: str


def read_candles(path: Path, product: str, now_s: int) -> CandleTable:
    """Read a file. now_s: Unix seconds; what ends later had not ended.

    Raises BadInputError for a file that cannot be read, has no such columns, or another step;
    FileChangedError where it is cut meanwhile.
    """
    read = _table_of(path, _content(path))
    names = columns_of(read.frame.columns, product)
    if missing := [name for name in _NEEDED if name not in names]:
        has = first_few(read.frame.columns, most=12)
        raise BadInputError(str(path), f"no column {', '.join(missing)}; it has {has}", _NAME_THEM)
    start_s, clock = _starts(read.frame[names["time"]])
    frame = read.frame.select(
        pl.int_range(pl.len(), dtype=pl.Int64).add(read.first_line).alias("line"),
        start_s.alias("start_s"),
        *(_text(names.get(name)).alias(name) for name in TEXTS),
    ).cast(SCHEMA)  # type: ignore[arg-type]  # names → types
    known = frame["start_s"].drop_nulls()
    newest_first = known.len() > 1 and known.is_sorted(descending=True) and known[0] > known[-1]
    if newest_first:
        frame = frame.reverse()
    step_s = _step(path, known)
    unfinished = _unfinished(frame, step_s, now_s)
    form = f"{read.form}: {_spelled(names)}; {clock}, {STEPS_S[step_s]}"
    if newest_first:
        form += ", newest first"
    return CandleTable(frame.head(len(frame) - unfinished), form, step_s, unfinished)


_NAME_THEM = "Give a file with columns time, open, high, low, close and volume"


def _content(path: Path) -> bytes:
    content = bytearray()
    with closing(InputFile(path)) as file:
        try:
            for chunk in chunks_of(file, any_packing=True):
                content += chunk
                if len(content) > MAX_TABLE_BYTES:
                    why = f"it holds more than {MAX_TABLE_BYTES >> 20} MiB"
                    raise BadInputError(str(path), why, "Split it by time")
        except TornError as error:
            raise BadInputError(str(path), str(error), "Fetch it again") from None
    if not content.strip():
        raise BadInputError(str(path), "it is empty", "Fetch it again")
    return bytes(content)


def _table_of(path: Path, content: bytes) -> _Read:
    try:
        if content.startswith(_PARQUET):
            return _Read(pl.read_ipc_stream(arrow_stream(content)), 1, "Parquet")
        return _csv(content.removeprefix(b"\xef\xbb\xbf"))
    except (pl.exceptions.PolarsError, TornError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise BadInputError(str(path), f"it is no table ({why})", _NAME_THEM) from None


def _csv(content: bytes) -> _Read:
    head = content[: 1 << 16].decode("utf-8", "replace").splitlines()
    for number, line in enumerate(head[:_LOOKED_AT]):
        delimiter = max(DELIMITERS, key=line.count)
        cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
        headerless = len(cells) in HEADERLESS and all(_NUMBER(cell) for cell in cells[:6])
        if (
            not headerless
            and len({folded(cell) for cell in cells} & {"open", "openprice", "priceopen"}) == 0
        ):
            continue
        frame = pl.read_csv(
            io.BytesIO(content),
            has_header=not headerless,
            skip_lines=number,
            separator=delimiter,
            infer_schema=False,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
        )
        form = f"CSV with {DELIMITERS[delimiter]}s"
        if headerless:
            names = HEADERLESS[len(cells)]
            frame = frame.rename(dict(zip(frame.columns, names, strict=False)))
            return _Read(frame, number + 1, f"{form}, no header")
        frame = frame.rename({name: name.strip() for name in frame.columns})
        return _Read(frame, number + 2, form)
    raise ValueError(f"no header with open, high, low, close in its first {_LOOKED_AT} lines")


def _text(column: str | None) -> pl.Expr:
    """A column as texts without blanks around them; an empty one is null."""
    if column is None:
        return pl.lit(None, pl.String)
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _starts(times: pl.Series) -> tuple[pl.Series, str]:
    """Unix seconds of the opens, and what the column held."""
    if times.dtype.is_temporal():
        return times.cast(pl.Datetime("us")).dt.epoch("s"), "times"
    if times.dtype == pl.String:
        times = times.str.strip_chars()
    numbers = times.cast(pl.Float64, strict=False)
    if numbers.null_count() < len(numbers):
        median = numbers.drop_nulls().median()
        size = float(median) if isinstance(median, int | float) else 0.0
        _, unit, name = next(each for each in _UNITS if size < each[0])
        return (numbers / unit).floor().cast(pl.Int64, strict=False), name
    texts = times.cast(pl.String).str.replace(r"(\d{1,2})-([AP]M)$", "${1}:00 ${2}")
    if texts.null_count() == len(texts):
        return pl.Series(dtype=pl.Int64, values=[None] * len(texts)), "no time at all"
    # A Z is the zone +00:00 by another name.
    zoned = texts.str.replace(r"\s*(?:[Zz]|UTC)$", "+0000")
    aware = [zoned.str.to_datetime(form, time_zone="UTC", strict=False) for form in _FORMATS]
    naive = [texts.str.to_datetime(form, strict=False, ambiguous="null") for form in _NAIVE]
    columns = [each.dt.epoch("s") for each in (*aware, *naive)]
    starts = pl.select(pl.coalesce(columns)).to_series()
    read = any(each.null_count() < len(texts) for each in aware)
    return starts, "times with a zone" if read else "times without a zone, read as UTC"


def _step(path: Path, starts: pl.Series) -> int:
    """The step of candles in seconds: their commonest distance; an hour where there is none."""
    steps = starts.unique().sort().diff().drop_nulls()
    if not len(steps):
        return HOUR_S
    step_s = int(steps.mode().min())  # type: ignore[arg-type]  # of Int64
    if step_s not in STEPS_S:
        raise BadInputError(
            str(path), f"its candles are {step_s:,} s long", "Give hours, or minutes of one to 15"
        )
    return step_s


def _unfinished(frame: pl.DataFrame, step_s: int, now_s: int) -> int:
    """How many rows at the end of a table had not ended."""
    count = 0
    for start_s in reversed(frame["start_s"].tail(2).to_list()):
        if start_s is None or start_s + step_s <= now_s or start_s > now_s:
            break
        count += 1
    return count


def _spelled(names: Mapping[str, str]) -> str:
    """Which column is which field, where the names differ."""

    def words() -> Iterator[str]:
        for field, column in names.items():
            plain = field.replace("_", " ")
            yield plain if folded(column) == folded(field) else f"{column} is {plain}"

    return ", ".join(words())
