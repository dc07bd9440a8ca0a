"""A comparison as Markdown, for a comment in a pull request."""

import math
from collections.abc import Iterable, Iterator, Sequence

from barograph.app.reports.comparison_words import (
    about,
    cells_of,
    change_cells,
    headline,
    unchanged,
)
from barograph.foreign import spelled_out
from barograph.training.comparison import Comparison, ScorePair

_HALF = 20
"""Columns on each side of zero in the drawing of the differences."""

_HEADS = ("score", "champion", "candidate", "candidate − champion")


def markdown(comparison: Comparison, picture: str = "") -> str:
    """The comparison as Markdown of GitHub's kind. picture: address of the charts, if any."""
    return "\n".join(_lines(comparison, picture)) + "\n"


def _lines(comparison: Comparison, picture: str) -> Iterator[str]:
    sign = "❌" if comparison.worse else "✅"
    yield f"### {sign} {_plain(headline(comparison))}"
    yield ""
    yield _plain(about(comparison))
    yield ""
    yield from (f"- {_plain(reason)}" for reason in comparison.reasons)
    yield ""
    yield from _table(_HEADS, (cells_of(pair) for pair in comparison.scores))
    yield ""
    yield "```text"
    yield from _drawing(comparison.scores)
    yield "```"
    if picture:
        yield ""
        yield f"![Differences, precision and recall, reliability]({picture})"
    yield ""
    yield "#### What changed"
    yield ""
    rows = list(change_cells(comparison))
    if rows:
        yield from _table(("of", "what", "champion", "candidate"), rows)
        yield ""
    yield _plain(unchanged(comparison))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(_plain(cell) for cell in row)} |"


def _drawing(pairs: Sequence[ScorePair]) -> Iterator[str]:
    """A line for each difference: its interval around zero, drawn to its own scale."""
    width = max(len(pair.name) for pair in pairs)
    yield f"{'':{width}}   {'champion better'.ljust(_HALF)} {'candidate better'.rjust(_HALF)}"
    for pair in pairs:
        yield f"{pair.name:{width}}   {_interval(pair)}"


def _interval(pair: ScorePair) -> str:
    of, sign = pair.difference, 1 if pair.higher_is_better else -1
    ends = sorted((sign * of.low, sign * of.high))
    columns = [" "] * (2 * _HALF + 1)
    columns[_HALF] = "│"
    if all(map(math.isfinite, ends)):
        whole = max(map(abs, ends)) or 1.0
        low, middle, high = (
            _HALF + round(_HALF * end / whole) for end in (ends[0], sign * of.estimate, ends[1])
        )
        for column in range(low, high + 1):
            columns[column] = "┼" if column == _HALF else "─"
        columns[middle] = "●"
    return "".join(columns).rstrip()


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no line break of a name's own."""
    line = " ".join(spelled_out(text).split())
    escaped = "".join(f"\\{sign}" if sign in r"\`*_[]<>|#" else sign for sign in line)
    return escaped.replace("@", "@\u200b")
