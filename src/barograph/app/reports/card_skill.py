"""The part of a model card's page that shows where the choices have skill."""

from collections.abc import Callable, Iterator, Sequence

import matplotlib as mpl

from barograph.app.reports.card_tables import ARROWS, table
from barograph.app.reports.figures_svg import (
    BLUE,
    INK,
    NARROW,
    SOFT,
    STYLE,
    VERMILION,
    as_svg,
    axes_of,
)
from barograph.app.reports.markup import Element, el
from barograph.figures import figure, interval
from barograph.training.card import Card
from barograph.training.card_words import NAMES
from barograph.training.skill import PairedScore, SkillRow
from barograph.types import Interval

_MOST_SESSIONS = 12
_ROW, _AROUND = 15.0, 60.0  # SVG units
_IN_TABLE = ("all", "key", "regime")
_PICTURES = 2
_Score = tuple[str, Callable[[SkillRow], PairedScore | None]]
_SCORES: tuple[_Score, ...] = (
    ("pr_auc", lambda row: row.pr_auc),
    ("log_loss", lambda row: row.log_loss),
    ("log_r2", lambda row: row.log_r2),
)


def skill(card: Card) -> Iterator[Element]:
    """Yield sentences, pictures and a table of the skill by key, regime, hour and session."""
    rows = card.training.tested.skill
    if not rows:
        return
    yield el("h2", "Where it has skill")
    yield el("div", el("ul", *(el("li", sentence) for sentence in card.skill)), class_="card")
    least = card.training.settings.gate.min_blocks
    shown = _shown(rows)
    pictures = [
        el(
            "div",
            el("h3", f"{NAMES[name]} less that of {_baseline(shown, of)}"),
            _differences(name, [(row, of(row)) for row in shown], least),
            class_="card",
        )
        for name, of in _drawn(shown)[:_PICTURES]
    ]
    yield el("section", *pictures, class_="pair")
    yield el(
        "p",
        f"Differences of the choices to the best baseline, with intervals; pale with fewer than "
        f"{least} blocks of rows, which is too little to trust one. Thirds are by the forecast of "
        f"{card.training.tested.reference} over tau, hours those of the day (UTC) at which a "
        "forecast is made.",
        class_="about",
    )
    yield el("div", _table(rows), class_="card")


def _drawn(rows: Sequence[SkillRow]) -> list[_Score]:
    """The scores that any of the rows has."""
    return [each for each in _SCORES if any(each[1](row) is not None for row in rows)]


def _shown(rows: Sequence[SkillRow]) -> list[SkillRow]:
    """Every row, of the sessions only the largest, in their order."""
    sessions = sorted((row for row in rows if row.by == "session"), key=lambda row: -row.rows)
    left_out = {row.name for row in sessions[_MOST_SESSIONS:]}
    return [row for row in rows if row.by != "session" or row.name not in left_out]


def _differences(
    name: str, rows: Sequence[tuple[SkillRow, PairedScore | None]], least: int
) -> Element:
    better = ARROWS[name]
    with mpl.rc_context(STYLE | {"font.size": 9}):
        drawing, axes = axes_of(NARROW, _ROW * len(rows) + _AROUND)
        for trusted, alpha in ((True, 1.0), (False, 0.35)):
            drawn = [
                (place, paired.difference)
                for place, (row, paired) in enumerate(rows)
                if paired is not None and (row.blocks >= least) == trusted
            ]
            places, colours = (
                [place for place, _ in drawn],
                [_colour(of, better) for _, of in drawn],
            )
            ends = [of.low for _, of in drawn], [of.high for _, of in drawn]
            axes.hlines(places, *ends, lw=2.4, colors=colours, alpha=alpha)
            axes.scatter([of.estimate for _, of in drawn], places, s=16, c=colours, alpha=alpha)
        for place in range(1, len(rows)):
            if rows[place - 1][0].by != rows[place][0].by:
                axes.axhline(place - 0.5, color=SOFT, lw=0.6)
        axes.axvline(0.0, color=INK, lw=1)
        axes.set(ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticks(range(len(rows)), [row.name for row, _ in rows])
        side = "right" if better == "↑" else "left"
        axes.set_xlabel(f"choices − baseline: better to the {side}")
        axes.locator_params(axis="x", nbins=5)
        axes.grid(visible=False, axis="y")
        return as_svg(drawing, f"skill {name}", f"{NAMES[name]} of each part less a baseline's")


def _colour(of: Interval, arrow: str) -> str:
    if not (of.low > 0 or of.high < 0):
        return SOFT
    return BLUE if (of.low > 0) == (arrow == "↑") else VERMILION


def _table(rows: Sequence[SkillRow]) -> Element:
    measures = _drawn(rows)
    three = ("choices", "baseline", "difference")
    heads = ("", "rows", "positives", "base rate", *three * len(measures))
    titles = [
        f"{NAMES[name]} {ARROWS[name]}, beside {_baseline(rows, of)}" for name, of in measures
    ]
    groups = [("", 4), *((title, len(three)) for title in titles)]
    cells = [
        (
            row.name,
            f"{row.rows:,}",
            f"{row.events:,}",
            f"{row.base_rate:.1%}",
            *(text for _, of in measures for text in _cells(of(row))),
        )
        for row in rows
        if row.by in _IN_TABLE
    ]
    caption = "The same as figures; hours and more sessions are in the card's JSON."
    return table(caption, heads, cells, groups)


def _baseline(rows: Sequence[SkillRow], of: Callable[[SkillRow], PairedScore | None]) -> str:
    return next(paired.baseline for row in rows if (paired := of(row)) is not None)


def _cells(paired: PairedScore | None) -> tuple[str, str, str]:
    if paired is None:
        return figure(None), figure(None), figure(None)
    difference = interval(paired.difference, signed=True)
    return figure(paired.chosen), figure(paired.of_baseline), difference
