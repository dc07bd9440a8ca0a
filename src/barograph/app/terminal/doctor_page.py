"""Terminal output of `barograph doctor`."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from barograph.app.runs.doctor.examination import Examination, Finding, State
from barograph.foreign import one_line

_MARKS = {
    State.OK: ("✓", "green"),
    State.WARNING: ("!", "yellow"),
    State.PROBLEM: ("✗", "bold red"),
}


def page(examination: Examination) -> RenderableType:
    """A line for each finding, with what mends it below; 80 columns wide at most."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    for finding in examination.findings:
        mark, style = _MARKS[finding.state]
        table.add_row(Text(mark, style=style), Text(one_line(finding.name)), _text(finding))
    return table


def _text(finding: Finding) -> Text:
    text = Text(one_line(finding.text))
    if finding.cure:
        text.append(f"\n→ {one_line(finding.cure)}", style="bold")
    return text
