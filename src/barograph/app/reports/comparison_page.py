"""A comparison of two models as one self-contained HTML page: no script, no external image."""

from collections.abc import Iterator

from barograph.app.reports import comparison_charts
from barograph.app.reports.card_tables import table
from barograph.app.reports.comparison_words import (
    about,
    cells_of,
    change_cells,
    headline,
    unchanged,
)
from barograph.app.reports.markup import Element, document, el
from barograph.training.comparison import Comparison


def page(comparison: Comparison) -> str:
    """The comparison as an HTML document."""
    title = f"{comparison.champion} and {comparison.candidate}: comparison"
    return document(title, _elements(comparison))


def _elements(comparison: Comparison) -> Iterator[Element]:
    yield el("p", "Barograph · comparison", class_="kicker")
    yield el("h1", headline(comparison))
    yield el("p", about(comparison), class_="about")
    kind, word = ("bad", "The gate refuses it.") if comparison.worse else ("good", "It may pass.")
    reasons = el("ul", *(el("li", reason) for reason in comparison.reasons))
    yield el("div", el("strong", word), reasons, class_=f"verdict {kind}")
    yield el("h2", "Scores")
    heads = ("score", "champion", "candidate", "candidate − champion")
    rows = [cells_of(pair) for pair in comparison.scores]
    yield el(
        "div", table("Scores with intervals, on the same resamples", heads, rows), class_="card"
    )
    yield el(
        "section",
        _card("Paired differences", comparison_charts.differences(comparison)),
        _card("Precision and recall", comparison_charts.precision_recall(comparison)),
        class_="pair",
    )
    yield el(
        "section", _card("Calibration", comparison_charts.reliability(comparison)), class_="pair"
    )
    yield el("h2", "What changed")
    changed = el("div", class_="card")
    if rows_changed := list(change_cells(comparison)):
        heads = ("of", "what", "champion", "candidate")
        changed.append(table("What differs between the two trainings", heads, rows_changed))
    changed.append(el("p", unchanged(comparison)))
    yield changed


def _card(title: str, chart: Element) -> Element:
    return el("div", el("h3", title), chart, class_="card")
