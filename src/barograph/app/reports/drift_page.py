"""A drift report as one self-contained HTML page: no script, no external font or image."""

from collections.abc import Iterator, Sequence

from barograph.app.reports import drift_charts
from barograph.app.reports.card_tables import pairs, span, table
from barograph.app.reports.markup import Element, document, el
from barograph.figures import NOT_DEFINED, duration, figure, three_digits
from barograph.times import minute_of
from barograph.training.drift_report import ColumnDrift, DriftReport, KeyReport, Side

_DRAWN = 6
"""Columns of a key whose distributions are drawn."""

_MOST_ALARMS = 40


def page(report: DriftReport) -> str:
    """The report as an HTML document."""
    elements = [element for part in (_top, _tiles) for element in part(report)]
    for key in report.keys:
        elements += _key(report, key)
    elements += _quality(report)
    elements += _how(report)
    return document(f"{report.case}: drift", elements)


def _top(report: DriftReport) -> Iterator[Element]:
    before, after = report.keys[0].before, report.keys[0].after
    yield el("p", "Barograph · drift", class_="kicker")
    yield el("h1", f"{report.case}: two spans compared")
    yield el(
        "p",
        f"reference {span(before.start_ns, before.end_ns)} UTC · compared "
        f"{span(after.start_ns, after.end_ns)} UTC · {len(report.keys)} keys, "
        f"{report.columns:,} columns",
        class_="about",
    )
    judged = len(report.keys) - len(report.too_short)
    if report.alarms:
        word, kind = f"{_counted(report.alarms, 'alarm')}.", "bad"
        words = " " + "; ".join(
            f"{one.key}: {', '.join(sorted({alarm.column for alarm in one.alarms}))}"
            for one in report.keys
            if one.alarms
        )
    elif not judged:
        word, kind = "Not judged.", "note"
        words = " No alarm, and too little is tested to say that nothing changed."
    elif report.too_short:
        word, kind = "No drift alarm where it can be judged.", "note"
        words = (
            f" Too little is tested of {', '.join(report.too_short)} to say that nothing changed."
        )
    else:
        word, kind = "No drift alarm.", "good"
        words = " No window differs more from the reference than its own windows may."
    yield el("div", el("strong", word), words, class_=f"verdict {kind}")
    for key, why in report.too_short.items():
        yield el("p", f"{key}: {why}.", class_="about lacking")
    if report.keys_left_out:
        left_out = "; ".join(f"{key}: {why}" for key, why in report.keys_left_out.items())
        yield el("p", f"Left out: {left_out}.", class_="about")


def _tiles(report: DriftReport) -> Iterator[Element]:
    windows = [strength for key in report.keys if key.tested for strength in key.strength]
    at_limit = sum(strength >= 1 for strength in windows)
    outside = [key.out_of_range for key in report.keys if key.out_of_range is not None]
    tiles = (
        ("strongest test", figure(max(windows, default=None), 2), "an alarm from 1 on"),
        (
            "windows at their limit",
            figure(at_limit / len(windows) if windows else None, 1, share=True),
            f"{at_limit:,} of {len(windows):,}",
        ),
        (
            "values out of range",
            figure(sum(outside) / len(outside) if outside else None, 2, share=True),
            "beyond the reference's range",
        ),
        (
            "Kolmogorov–Smirnov",
            f"{report.ks_alarms} of {report.columns}",
            "columns with p < 0.05, as the usual test takes rows as independent",
        ),
        ("PSI above 0.2", f"{report.psi_alarms} of {report.columns}", "columns, the usual limit"),
    )
    yield el(
        "section",
        *(el("div", el("span", name), el("b", value), el("span", about), class_="tile")
          for name, value, about in tiles),
        class_="tiles",
    )  # fmt: skip


def _key(report: DriftReport, key: KeyReport) -> Iterator[Element]:
    yield el("h2", key.key)
    yield el(
        "div",
        el("h3", "Strongest test of each window"),
        *drift_charts.strength(key.time_ns if key.tested else (), key.strength),
        el(
            "p",
            f"Each window is {duration(report.window_s)} long; from 1 on it differs more than an "
            "unchanged stream does once a week.",
        ),
        class_="card",
    )
    if key.alarms:
        rows = [
            (span(one.start_ns, one.end_ns), one.column, figure(one.peak, 2))
            for one in key.alarms[:_MOST_ALARMS]
        ]
        yield el("div", table("Alarms", ("UTC", "strongest", "strength"), rows), class_="card")
    drawn = [one for one in key.columns if len(one.shares_before) > 2][:_DRAWN]
    cards = [
        el(
            "div",
            el("h3", one.column),
            drift_charts.shares(one.shares_before, one.shares_after),
            el("p", _distribution(one)),
            class_="card",
        )
        for one in drawn
    ]
    yield el("h3", "What changed most", style="margin-top:24px")
    yield el(
        "p",
        "Shares of the rows between the deciles of the reference:",
        el("span", class_="swatch stream"),
        el("span", "reference"),
        el("span", class_="swatch batch"),
        el("span", "compared"),
        class_="about",
    )
    yield el("section", *cards, class_="pair")
    heads = ("column", "strength", "PSI", "shift", "median", "out of range", "missing", "KS p")
    yield el(
        "div",
        table(
            "All columns, strongest first. PSI and shift (largest difference of the quantiles, in "
            "probability) are of the spans as wholes; strength is that of the strongest window.",
            heads,
            [_row(one) for one in key.columns],
        ),
        class_="card",
    )
    untested: dict[str, list[str]] = {}
    for one in key.columns:
        if one.untested:
            untested.setdefault(one.untested, []).append(one.column)
    for why, names in untested.items():
        yield el("p", f"Not tested, since {why}: {', '.join(names)}.", class_="about")


def _row(one: ColumnDrift) -> Sequence[str]:
    medians = " → ".join(
        three_digits(side[2]) if side else NOT_DEFINED for side in (one.before, one.after)
    )
    return (
        one.column,
        "not tested" if one.untested else figure(one.strength, 2),
        figure(one.psi, 3),
        figure(one.shift, 3),
        medians,
        figure(one.out_of_range, 2, share=True),
        f"{one.missing_before:.1%} → {one.missing_after:.1%}",
        NOT_DEFINED if one.ks_p is None else f"{one.ks_p:.2g}",
    )


def _distribution(one: ColumnDrift) -> str:
    if not one.before or not one.after:
        return "One of the spans has no value."
    low, high = (
        f"{three_digits(side[0])} … {three_digits(side[2])} … {three_digits(side[4])}"
        for side in (one.before, one.after)
    )
    memory = f" Its values remember {duration(one.memory_s)}." if one.memory_s else ""
    return f"5 % … median … 95 %: {low} before, {high} after.{memory}"


def _quality(report: DriftReport) -> Iterator[Element]:
    reasons = sorted(
        {name for key in report.keys for side in (key.before, key.after) for name in side.reasons}
    )
    rows = []
    for key in report.keys:
        for word, side in (("reference", key.before), ("compared", key.after)):
            rows.append(_side(f"{key.key}, {word}", side, reasons))
    heads = ("span", "rows", "of the span", "holes", *(f"{name} values" for name in reasons))
    yield el("h2", "Missing values and quality")
    caption = "Rows are closed seconds or steps; values are missing with their reason."
    yield el("div", table(caption, heads, rows), class_="card")


def _side(name: str, side: Side, reasons: Sequence[str]) -> Sequence[str]:
    counts = (f"{side.reasons.get(reason, 0):,}" for reason in reasons)
    return (name, f"{side.rows:,}", f"{side.coverage:.1%}", f"{side.holes:,}", *counts)


def _how(report: DriftReport) -> Iterator[Element]:
    yield el("h2", "How it is tested")
    yield el(
        "div",
        pairs(
            [
                ("window", f"{duration(report.window_s)}, each {duration(report.interval_s)}"),
                ("tests", f"{report.tests:,}, which share one expected false alarm a week"),
                ("an alarm", "two windows in a row at their limit"),
                ("feature set", report.feature_set),
                ("data", report.data_hash),
                (
                    "last window",
                    f"{minute_of(max(t for k in report.keys for t in k.time_ns or [0]))} UTC",
                ),
            ]
        ),
        class_="card",
    )


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
