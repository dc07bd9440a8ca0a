"""Output of the verbs: answers as JSON or as text, warnings, and streams of JSON lines."""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from barograph.app.cli import streams
from barograph.app.terminal.detail import Detail, chosen
from barograph.environment import UnkeptKernelsWarning
from barograph.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType


class _Json:
    """Whether this process answers in JSON, and whether its object is printed."""

    wanted = False
    printed = False


class _Warned:
    """What takes warnings instead of standard error, if anything does."""

    by: Callable[[str], None] | None = None


def begin(words: Sequence[str]) -> None:
    """Begin a command line: with --json among its words a refusal is an object too."""
    options = words[: words.index("--")] if "--" in words else words
    _Json.wanted, _Json.printed = "--json" in options, False


def answer(
    value: object,
    json: bool,
    shown: Callable[[], "RenderableType"],
    full: Callable[[], "RenderableType"] | None = None,
) -> None:
    """Print `value` as one line of JSON if `json`, else what `shown` returns, with -v `full`.

    Prints nothing with -q and without `json`.
    """
    if json:
        answer_json(value)
    else:
        show((full if full is not None and chosen() is Detail.FULL else shown)())


def answer_json(value: object) -> None:
    """Print `value` as one line of JSON, for a verb that has no other answer here."""
    say_json(as_json(value).encode())


def say_json(line: bytes) -> None:
    """Print the one object of a verb, which is encoded already."""
    _Json.printed = True
    say(line)


def refuse(facts: str, cure: str) -> None:
    """Print a refusal on standard error, and as an object on standard output if it is wanted."""
    warn(f"{facts} {cure}")
    if not _Json.wanted or _Json.printed:
        return
    from json import dumps  # the least to load where memory is short

    from barograph.foreign import one_line

    with suppress(BadInputError):  # the line on standard error stands
        say_json(dumps({"error": one_line(facts), "cure": one_line(cure)}).encode())


def show(shown: "RenderableType") -> None:
    """Print a renderable to standard output, unless -q is given."""
    if chosen() is Detail.QUIET:
        return
    from barograph.app.terminal import terminal

    streams.write(terminal.text_of(shown))


def show_document(text: str) -> None:
    """Print Markdown or a page as it is, unless -q is given; it holds no control characters."""
    if chosen() is not Detail.QUIET:
        say(text.rstrip("\n"))


def say(line: str | bytes) -> None:
    """Print one line; bytes are written unchanged, whatever the terminal's encoding."""
    streams.write(line + "\n" if isinstance(line, str) else line + b"\n")


def as_json(value: object) -> str:
    """Encode `value` as one line of valid UTF-8 JSON; undecodable file names are escaped."""
    import msgspec

    from barograph.foreign import json_escaped

    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a file name that is not UTF-8
        encoded = msgspec.json.encode(_escaped(msgspec.to_builtins(value)))
    return json_escaped(encoded.decode())


def _escaped(value: object) -> object:
    """Copy `value` with surrogate-escaped bytes written as backslash escapes."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if isinstance(value, dict):
        return {_escaped(key): _escaped(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    return value


def warn(message: str) -> None:
    """Print a one-line warning on standard error, or log it while a verb is observed."""
    from barograph.foreign import one_line

    if _Warned.by is not None:
        _Warned.by(message)
    else:
        print(f"barograph: {one_line(message)}", file=sys.stderr)


@contextmanager
def warned_by(write: Callable[[str], None]) -> Iterator[None]:
    """Pass warnings to `write` instead of printing them, while the context is active."""
    before, _Warned.by = _Warned.by, write
    try:
        yield
    finally:
        _Warned.by = before


def print_aside(text: str) -> None:
    """Print text on standard error, as it is."""
    print(text, file=sys.stderr)


@contextmanager
def unkept_kernels_warned_of() -> Iterator[None]:
    """Print UnkeptKernelsWarning as one line on standard error while the context is active."""
    shown_by_python = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> None:  # noqa: ANN401 - handed on
        if issubclass(category, UnkeptKernelsWarning):
            warn(str(message))
        else:
            shown_by_python(message, category, *place, **line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown_by_python


def print_records(lines: Iterable[bytes], json: bool) -> None:
    """Print JSON values as lines, or with `json` as the list `records` of one object."""
    if not json:
        print_lines(lines)
        return
    import msgspec

    answer_json({"records": [msgspec.Raw(line) for line in lines]})


def print_lines(lines: Iterable[bytes]) -> None:
    """Print each JSON value as a line; stop early when the reader closes the pipe (`| head`)."""
    from barograph.foreign import json_escaped

    for line in lines:
        shown = line if line.isascii() else json_escaped(line.decode()).encode()
        if not streams.write(shown + b"\n"):
            return


def write_named(option: str, file: "Path", content: bytes, example: str) -> None:
    """Write the file that an option names, with its folder. Raises BadInputError if it cannot be.

    example: a name that would do.
    """
    from barograph.files.disk import declared, write_whole

    if not file.name:
        raise BadInputError(f"{option} {file}", "it names no file", f"Name one, as in {example}")
    try:
        with declared(file.parent, len(content)):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
    except BadInputError as error:
        raise BadInputError(str(file), error.why, f"Name another file ({option})") from error
