"""A form of one's own, written as a recording was understood: to correct, and to give back."""

import json
import textwrap

from barograph.foreign import json_escaped, one_line
from barograph.venues.forms.clock import Clock, Unit
from barograph.venues.forms.names import ASK, BID, MID, NAMES, PRODUCT, SPREAD, SPREAD_BPS
from barograph.venues.forms.reader import FormReader
from barograph.venues.forms.settled import Settled

_UNWRITTEN = ("kind",)
_COMMENT_WIDTH = 76
"""A comment that a terminal folds would be TOML no longer."""


def proposal(reader: FormReader, name: str) -> str:
    """Return TOML for the most frequent form that is no frame; empty where there is none."""
    built = [settled for settled in reader.forms if settled.field_names and not settled.is_frames]
    if not built:
        return ""
    settled = max(built, key=lambda each: each.lines)
    return "\n".join(_lines(settled, name)) + "\n"


def _lines(settled: Settled, name: str) -> list[str]:
    fields = one_line(", ".join(settled.field_names))[:400]
    about = textwrap.wrap(f"{one_line(name)}: {fields}", _COMMENT_WIDTH)
    lines = [*(f"# {line}" for line in about), "[fields]", *_fields(settled)]
    if PRODUCT not in settled.names:
        lines += ["", "[constants]", 'product = "BTC-USD"  # ← which one is it?']
    return [*lines, "", "[clock]", *_clock(settled)]


def _fields(settled: Settled) -> list[str]:
    prefix = "".join(f"{part}." for part in settled.path if part != "prefix")
    lines = []
    if settled.event is None:
        lines.append('time = "?"  # ← the field that tells the time')
    else:
        lines.append(f"time = {_text(_place(settled, settled.event.name, prefix))}")
    if settled.received is not None:
        lines.append(f"received = {_text(_place(settled, settled.received.name, prefix))}")
    by_spread = MID in settled.names and not {BID, ASK} <= settled.names.keys()
    for role in NAMES:
        if role in _UNWRITTEN or (role in {MID, SPREAD, SPREAD_BPS} and not by_spread):
            continue
        if role in settled.names:
            lines.append(f"{role} = {_text(_place(settled, settled.names[role], prefix))}")
        elif role in {BID, ASK} and not by_spread:
            lines.append(f'{role} = "?"  # ← the field of the best {role}')
    return lines


def _place(settled: Settled, name: str, prefix: str) -> str:
    return prefix + name if name in settled.inner_names else name


def _clock(settled: Settled) -> list[str]:
    whose = settled.whose if settled.event is not None else "recorder"
    lines = [f'of = "{whose}"  # or "{"venue" if whose == "recorder" else "recorder"}"']
    unit = Unit.ISO if settled.event is None else settled.event.unit
    lines.append(f'unit = "{unit}"  # {", ".join(Unit)}')
    if settled.received is not None and settled.received.unit is not unit:
        lines.append(f'received_unit = "{settled.received.unit}"')
    if _is_naive(settled.event) and settled.is_local:
        lines.append('zone = "UTC"  # ← of times without one, for example "Europe/Paris"')
    return lines


def _is_naive(clock: Clock | None) -> bool:
    return clock is not None and clock.unit is Unit.ISO


def _text(name: str) -> str:
    return json_escaped(json.dumps(name, ensure_ascii=False))
