"""What a recording looks like before any of it is taken: its container, its forms, what is missing.

`describe` says it in one line, `look` in parts, with a form of one's own to correct.
"""

from collections.abc import Callable, Collection
from datetime import UTC, tzinfo
from pathlib import Path

import msgspec

from barograph.archive.recording import Recording
from barograph.files.lines import BadLine
from barograph.types import Fault
from barograph.venues.forms.own import OwnForm
from barograph.venues.forms.proposal import proposal
from barograph.venues.forms.reader import FormReader

_LONGEST = 600


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the beginning of a file shows.

    container: what holds its records. forms: a line for each form, the most frequent first.
    line: all of it in one line. problem: why no tick can be read of it; empty where some can.
    cure: what helps then. fields: the names of its fields. first: the beginning of its first line.
    toml: a form of one's own that reads it as it was understood, with what must be filled in.
    """

    container: str
    forms: list[str]
    line: str
    problem: str
    cure: str
    fields: list[str]
    first: str
    toml: str


def look(
    path: Path,
    zone: tzinfo = UTC,
    form: OwnForm | None = None,
    waiting: Callable[[str], object] = lambda _line: None,
) -> Look:
    """Look at the first lines of a file, and take none. A pipe cannot be read afterwards.

    Raises BadInputError where there is nothing to read.
    """
    recording = Recording(path, zone, pipes=True, waiting=waiting, form=form)
    try:
        first = recording.first_lines()
        return look_of(recording, first)
    finally:
        recording.close()


_LOOK_AT_FORMS = "`barograph forms FILE` shows what is seen in it, and a form to correct"
_NAME_ANOTHER = "Name one that it has, or leave --products out"


def why_unread(lines: str, faults: Collection[str], first: str, look_at: Callable[[], str]) -> str:
    """Return why a recording gave dead letters alone.

    lines: "none of its lines", with their number where it is known. faults: those of the letters.
    first: the first letter in words. look_at: returns what the file looks like, as `describe`.
    """
    if set(faults) == {Fault.UNKNOWN_PRODUCT}:
        return f"{lines} is of a product that was asked for ({first})"
    return f"{lines} could be read; {look_at()}"


def cure_of_unread(faults: Collection[str]) -> str:
    """Return what helps where recordings gave dead letters alone, of these faults."""
    return _NAME_ANOTHER if set(faults) == {Fault.UNKNOWN_PRODUCT} else _LOOK_AT_FORMS


def describe(path: Path, zone: tzinfo = UTC, form: OwnForm | None = None) -> str:
    """Return what a file looks like, or why no tick can be read of it, in one line.

    Where it has no fields that a form could name, the line ends with what helps instead.

    Raises BadInputError where there is nothing to read.
    """
    seen = look(path, zone, form)
    return f"{seen.line}. {seen.cure}" if seen.problem and not seen.forms else seen.line


def look_of(recording: Recording, first: list[bytes | BadLine]) -> Look:
    """Return the look of an open recording with these first lines."""
    reader = recording.reader
    lines = [bytes(line) for line in first if not isinstance(line, BadLine)]
    text = next((line for line in lines if line.strip()), b"")
    if not text and first and isinstance(first[0], BadLine):
        bad = first[0]
        problem = f"{recording.container}: {bad.detail}"
        return _look(recording, [], (problem, "Unpack or fetch it again"), bad.original)
    forms = [settled.line for settled in sorted(reader.forms, key=lambda each: -each.lines)]
    if reader.own is not None:
        forms = [reader.own.line]
    return _look(recording, forms, _problem(reader), text)


def _look(recording: Recording, forms: list[str], trouble: tuple[str, str], text: bytes) -> Look:
    problem, cure = trouble
    fields = [name for settled in recording.reader.forms for name in settled.field_names]
    return Look(
        container=recording.container,
        forms=forms,
        line=problem if problem and not forms else recording.form_line,
        problem=problem,
        cure=cure,
        fields=list(dict.fromkeys(fields)),
        first=text[:_LONGEST].decode(errors="replace"),
        toml=proposal(recording.reader, recording.name),
    )


def _problem(reader: FormReader) -> tuple[str, str]:
    """Return why nothing can be read, and what helps; both empty where something can."""
    if reader.own is not None or any(not settled.problem for settled in reader.forms):
        return "", ""
    if reader.forms:
        first = reader.forms[0]
        return (
            first.problem,
            f"{first.cure}: `barograph forms FILE --toml` prints a form to correct",
        )
    return (
        "its lines are neither JSON objects nor rows under a header",
        "See docs/recordings.md for what is read, or write a form (`--form FILE`)",
    )
