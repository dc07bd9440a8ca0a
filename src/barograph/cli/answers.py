"""How a verb speaks: its answer as JSON or as a picture, warnings, streams of lines."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType


def answer(value: object, json: bool, shown: Callable[[], "RenderableType"]) -> None:
    """Print `value` as JSON, or what a person is shown of it."""
    if json:
        print(as_json(value))
        return
    from barograph import terminal

    terminal.show(shown())


def as_json(value: object) -> str:
    """One line of JSON."""
    import msgspec

    from barograph.foreign import json_escaped

    return json_escaped(msgspec.json.encode(value).decode())


def warn(message: str) -> None:
    """One line on standard error, beside the work."""
    from barograph.foreign import one_line

    print(f"barograph: {one_line(message)}", file=sys.stderr)


def print_lines(lines: Iterable[bytes]) -> None:
    """JSON, each as a line of standard output, until the end or nobody reads on (`| head`)."""
    from barograph.foreign import json_escaped

    try:
        for line in lines:
            shown = line if line.isascii() else json_escaped(line.decode()).encode()
            sys.stdout.buffer.write(shown + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What Python still wants to write when it leaves goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
