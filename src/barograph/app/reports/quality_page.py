"""A quality report as one self-contained HTML page: no script, no external font or image."""

from collections.abc import Iterator

from barograph.app.reports import quality_charts
from barograph.app.reports.card_tables import table
from barograph.app.reports.markup import Element, document, el
from barograph.arrays import Float64, Int64
from barograph.evaluation.quality_report import QualityReport, RuleResult
from barograph.figures import figure
from barograph.times import minute_of
from barograph.types import NS_PER_S


def page(report: QualityReport, start_s: Int64, close: Float64, volume: Float64) -> str:
    """The report as an HTML document.

    start_s, close, volume: (n,) of the rows with a time, ascending; NaN where there is no number.
    """
    elements = [*_top(report), *_tiles(report)]
    if len(start_s):
        bad_s = {
            row.start_s for rule in report.broken for row in rule.first if row.start_s is not None
        }
        elements += [
            el("h2", "Over time"),
            el(
                "section",
                _card("Close", quality_charts.closes(start_s, close, sorted(bad_s))),
                _card("Volume", quality_charts.volumes(start_s, volume)),
                class_="pair",
            ),
        ]
    elements += _rules(report)
    return document(f"{report.product}: quality of candles", elements)


def _top(report: QualityReport) -> Iterator[Element]:
    yield el("p", "Barograph · quality", class_="kicker")
    yield el("h1", f"{report.product}: quality of candles from {report.source}")
    span = f"{_time(report.first_s)} to {_time(report.last_s)} UTC · " if report.first_s else ""
    yield el("p", f"{span}{report.form}", class_="about")
    stopping = [rule.meaning for rule in report.broken if rule.stops]
    if stopping:
        yield _verdict("bad", "Stopped.", f" Not so: {'; '.join(stopping)}. Nothing was used.")
    elif report.good < report.rows:
        left_out = report.rows - report.good
        yield _verdict("note", "Passed.", f" {left_out:,} of {report.rows:,} rows were left out.")
    else:
        yield _verdict("good", "Passed.", " No row breaks a rule.")


def _verdict(kind: str, word: str, words: str) -> Element:
    return el("div", el("strong", word), words, class_=f"verdict {kind}")


def _tiles(report: QualityReport) -> Iterator[Element]:
    tiles = (
        ("rows", f"{report.rows:,}", f"of {report.step_s:,} s each"),
        ("good", f"{report.good:,}", "break no rule"),
        ("without a trade", f"{report.empty:,}", "known to have had none"),
        ("missing", f"{report.missing:,}", "between the first and the last"),
    )
    yield el(
        "section",
        *(el("div", el("span", name), el("b", value), el("span", about), class_="tile")
          for name, value, about in tiles),
        class_="tiles",
    )  # fmt: skip


def _rules(report: QualityReport) -> Iterator[Element]:
    yield el("h2", "Rules")
    heads = ("rule", "rows that break it", "allowed", "outcome")
    rows = [(rule.meaning, *_counts(rule), _outcome(rule)) for rule in report.rules]
    shares = ", ".join(
        f"{name} {figure(share, 2, share=True)}" for name, share in report.null_shares.items()
    )
    yield el("div", table(f"Without a number: {shares}.", heads, rows), class_="card")
    for rule in report.broken:
        if rule.first:
            first = [(_time(row.start_s), f"{row.line:,}", row.values) for row in rule.first]
            caption = f"Not so: {rule.meaning}. The first {len(first)} of {rule.failed:,} rows."
            above = ("opens, UTC", "line", "values")
            yield el("div", table(caption, above, first), class_="card")


def _counts(rule: RuleResult) -> tuple[str, str]:
    """Rows that break a rule, and how many may; dashes for a rule about the whole table."""
    return (f"{rule.failed:,}", f"{rule.allowed:,}") if rule.of > 1 else ("–", "–")


def _outcome(rule: RuleResult) -> str:
    if rule.stops:
        return "✗ stops"
    return "reported" if rule.failed else "✓"


def _card(title: str, chart: Element) -> Element:
    return el("div", el("h3", title), chart, class_="card")


def _time(start_s: int | None) -> str:
    return "no time" if start_s is None else minute_of(start_s * NS_PER_S)
