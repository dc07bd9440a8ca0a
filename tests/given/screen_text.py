"""What a console shows, as text."""

import io

from rich.console import Console


def text_of(answer):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(answer)
    return console.export_text()
