"""Forms of recordings for a person: those that are known, and what a file looks like."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph.archive.recorded_form import Look
from barograph.foreign import one_line
from barograph.venues.forms.known import KnownForm

_SHOWN_FIELDS = 40
_SHOWN_CHARACTERS = 300


def known(forms: Sequence[KnownForm]) -> RenderableType:
    """Return the known forms, each with a line of it."""
    lines: list[RenderableType] = []
    for form in forms:
        lines += [Text(f"{form.name}: {form.what}", style="bold"), Text(f"  {form.line}")]
    end = "In lines, a JSON array, a table (CSV, Parquet); plain, gzip, zstd, xz, bz2 or zip."
    return Group(*lines, end, "What a file looks like: barograph forms FILE")


def seen(name: str, look: Look) -> RenderableType:
    """Return what a file looks like, and the form to correct."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("file", Text(one_line(name)))
    table.add_row("container", look.container)
    for form in look.forms:
        table.add_row("form", Text(one_line(form)))
    if look.problem:
        table.add_row("not read", Text(one_line(look.problem), style="bold red"))
        table.add_row("next", Text(one_line(look.cure)))
    if look.fields:
        table.add_row("fields", Text(one_line(", ".join(look.fields[:_SHOWN_FIELDS]))))
    if look.first:
        table.add_row("first", Text(one_line(look.first[:_SHOWN_CHARACTERS])))
    if not look.toml:
        return table
    offer = "# A form to correct. `barograph forms FILE --toml` prints it alone, to be saved:"
    return Group(table, "", Text(offer), Text(look.toml.rstrip()))
