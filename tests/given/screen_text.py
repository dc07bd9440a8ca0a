"""What a console shows, as text."""

import io

from rich.console import Console


def text_of(answer, width=80):
    """As a person reads it on a screen of that width."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(answer)
    return console.export_text()
