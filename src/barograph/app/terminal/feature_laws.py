"""Terminal output of `barograph check-feature`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph.cases.feature_laws import FeatureCheck
from barograph.foreign import one_line


def page(check: FeatureCheck) -> RenderableType:
    """A line for each law, with what broke it below, and how often each feature was known."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    for law in check.laws:
        mark, style = ("✓", "green") if law.holds else ("✗", "bold red")
        if not law.shown:
            mark, style = "?", "yellow"
        text = Text(one_line(law.law))
        if law.broken:
            text.append(f"\n{one_line(law.broken)}", style="bold")
        table.add_row(Text(mark, style=style), text)
    counted = f"{check.records:,} records, {check.rows:,} rows of {check.keys:,} keys"
    known = ", ".join(f"{name} {count:,}" for name, count in check.known.items())
    return Group(table, Text(f"{counted}; known: {one_line(known)}"))
