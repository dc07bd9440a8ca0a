"""Tables of a model card's page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan, nan

from barograph.app.reports.markup import Element, el
from barograph.cases.case import OUTCOME
from barograph.figures import NOT_DEFINED, estimate, figure, interval
from barograph.times import minute_of
from barograph.training.card import Card
from barograph.training.card_words import NAMES, chosen
from barograph.training.levels import LevelScores
from barograph.training.pooled import ScoreDifference, SessionRow
from barograph.training.walk_facts import SideFacts
from barograph.training.walkforward import CHOSEN

ARROWS = {"pr_auc": "↑", "log_r2": "↑", "brier": "↓", "log_loss": "↓"}
"""Which way a score is better."""

_ACTING = {
    "recall": "recall ↑",
    "precision": "precision ↑",
    "lead_s": "median lead, s ↑",
    "false_alarms_per_hour": "false alarms per hour ↓",
    "flagged_share": "share acted on",
}
_VERDICTS = {"reached": ("✓", "yes"), "undecided": ("?", "open"), "not reached": ("✗", "no")}
_LONGEST_FIGURE = 27
_FEW_COLUMNS = 4
_SHOWN_REASONS = 12


def tried(card: Card) -> Iterator[Element]:
    """Yield the scores of every candidate, and the differences to the baselines."""
    level = f"[{card.training.tested.base_rate.level:.0%}]"
    heads = (
        "", f"PR-AUC ↑ {level}", "by forecast ↑", "lift ↑", "ROC-AUC ↑", "Brier ↓", "log loss ↓",
        "ECE ↓", "log R² ↑", "QLIKE ↓",
    )  # fmt: skip
    rows = [
        (
            row.name + ("" if row.eligible else " (baseline)"),
            interval(row.pr_auc),
            estimate(row.pr_auc_by_ratio),
            estimate(row.lift, 2),
            estimate(row.roc_auc),
            estimate(row.brier, 4),
            estimate(row.log_loss, 4),
            estimate(row.calibration_error),
            estimate(row.log_r2),
            estimate(row.qlike, 2),
        )
        for row in card.training.tested.scores
    ]
    yield el("h2", "All candidates")
    has_level = any(row.level for row in card.training.tested.scores)
    by = "QLIKE" if has_level else "log loss (in nats)"
    caption = (
        "↑ higher is better, ↓ lower is better. All on the same tested rows; the choice is made by "
        f"{by} on held-out rows. By forecast: PR-AUC when ranked by the forecast over "
        "tau, without calibration. ECE: expected calibration error. QLIKE: loss of the volatility "
        "forecast."
    )
    yield el("div", table(caption, heads, rows), class_="card")
    yield from _levels(card)
    caption = (
        "Minus a baseline, on the same resamples; PR-AUC by each model's better ranking. Better "
        "than the baseline is a PR-AUC above 0, a Brier score and a log loss below 0."
    )
    if has_level:
        caption += (
            " So is a QLIKE below 0; DM is the statistic of Diebold and Mariano's test of it, p "
            "its two-sided p-value."
        )
    versus = (
        "",
        "minus",
        "PR-AUC ↑",
        "Brier ↓",
        "log loss ↓",
        *(("QLIKE ↓", "DM", "p") if has_level else ()),
    )
    differences = [
        (
            one.name,
            one.minus,
            interval(one.pr_auc, signed=True),
            interval(one.brier, 4, signed=True),
            interval(one.log_loss, 4, signed=True),
            *(_of_level(one) if has_level else ()),
        )
        for one in card.training.tested.differences
    ]
    yield el("div", table(caption, versus, differences), class_="card")


def _of_level(difference: ScoreDifference) -> tuple[str, str, str]:
    """Difference of QLIKE, and statistic and p-value of its test; blank without a forecast."""
    if difference.qlike is None or (test := difference.diebold_mariano) is None:
        return "", "", ""
    shown = interval(difference.qlike, signed=True)
    return shown, figure(test.statistic, 1), f"{test.p_value:.2g}"


def _levels(card: Card) -> Iterator[Element]:
    """Yield the scores of the value's forecasts, and how often intervals held, if there are any."""
    rows = [(row.name, row.level) for row in card.training.tested.scores if row.level is not None]
    if not rows:
        return
    chosen_level = rows[-1][1]
    years = tuple(chosen_level.coverage_by_year)
    parts = len(chosen_level.coverage_by_slot)
    heads = (
        "", "RMSE ↓", "MAE ↓", "R² ↑", "MAPE ↓", "pinball ↓", "high / low", "coverage",
        *years, *(f"{slot} of {parts}" for slot in range(1, parts + 1)),
    )  # fmt: skip
    cells = [
        (
            name,
            f"{level.rmse.estimate:.3g}",
            f"{level.mae.estimate:.3g}",
            estimate(level.r2),
            estimate(level.mape),
            f"{level.pinball.estimate:.3g}",
            figure(level.width, 2),
            interval(level.coverage, 1, share=True),
            *(f"{level.coverage_by_year.get(year, nan):.1%}" for year in years),
            *(f"{share:.1%}" for share in level.coverage_by_slot),
        )
        for name, level in rows
    ]
    caption = (
        "The value itself: RMSE and R² of the mean forecast, MAE and MAPE of the median, pinball "
        "loss of the interval's ends; above, log R² of the median and QLIKE of the root mean "
        "square. Coverage is of all tested rows, by year, and by part of the day (UTC)."
    )
    yield el("div", table(caption, heads, cells), class_="card")
    yield from _coverage(chosen_level)


def _coverage(level: LevelScores) -> Iterator[Element]:
    """Yield how often intervals held by hour of the day, and by regime."""
    hours, width = level.coverage_by_hour, 6
    if hours:
        caption = f"Coverage of {CHOSEN} by the hour of the day (UTC) at which a forecast is made."
        heads = ("", *(f"+{hour} h" for hour in range(width)))
        rows = [
            (f"{first:02d}:00", *map(_share, hours[first : first + width]))
            for first in range(0, len(hours), width)
        ]
        yield el("div", table(caption, heads, rows), class_="card")
    if level.coverage_by_regime:
        caption = (
            f"Coverage of {CHOSEN} by regime: the quarters of the rows from the lowest to the "
            "highest forecast."
        )
        heads = ("calmest", "2nd", "3rd", "wildest")
        row = tuple(_share(share) for share in level.coverage_by_regime)
        yield el("div", table(caption, heads, [row]), class_="card")


def _share(share: float) -> str:
    return NOT_DEFINED if isnan(share) else f"{share:.1%}"


def acting(card: Card) -> Iterator[Element]:
    """Yield the scores of alarms at each model's threshold, if the case has any."""
    rows = card.training.tested.scores
    names = sorted({name for row in rows for name in row.acting})
    if not names:
        return
    heads = ("", *(_ACTING.get(name, name.replace("_", " ")) for name in names))
    cells = [(row.name, *(figure(row.acting.get(name), 2) for name in names)) for row in rows]
    caption = "Alarms at each model's threshold, on tested rows"
    yield el("div", table(caption, heads, cells), class_="card")


def sessions(card: Card) -> Iterator[Element]:
    """Yield the scores of each session."""
    rows = card.training.tested.sessions
    names = [CHOSEN, *(name for name in card.curves if name != CHOSEN)]
    measures = [
        name for name in ("pr_auc", "log_loss", "log_r2") if any(getattr(s, name) for s in rows)
    ]
    heads = ("from", "rows", "base rate", "positives", *names * len(measures))
    groups = [
        ("", 4),
        *((f"{NAMES[measure]} {ARROWS[measure]}", len(names)) for measure in measures),
    ]
    yield el("h2", "Scores by session")
    caption = "Times in UTC. Scores of a session with few positives are uncertain"
    cells = [_session(session, measures, names) for session in rows]
    yield el("div", table(caption, heads, cells, groups), class_="card")


def _session(session: SessionRow, measures: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    return (
        minute_of(session.start_ns) if session.start_ns else "all",
        f"{session.rows:,}",
        f"{session.base_rate:.1%}",
        f"{session.events:,}",
        *(figure(getattr(session, measure).get(name)) for measure in measures for name in names),
    )


def folds(card: Card) -> Iterator[Element]:
    """Yield the train and test rows of each fold, and its chosen candidate."""
    heads = (
        "fold", "fitted on", "base rate", "tested on", "base rate", "choice", "acts from", "tau"
    )  # fmt: skip
    rows = [
        (
            str(number),
            _side(fold.train),
            f"{fold.train.base_rate:.1%}",
            _side(fold.test),
            f"{fold.test.base_rate:.1%}",
            fold.chosen,
            figure(fold.thresholds[fold.chosen]),
            taus(card, fold.tau) or NOT_DEFINED,
        )
        for number, fold in enumerate(card.training.tested.folds, 1)
    ]
    yield el("h2", f"How it was tested: {card.training.tested.split}")
    yield el(
        "div",
        table("Each fold is fitted without the rows it is tested on; UTC", heads, rows),
        class_="card",
    )


def _side(side: SideFacts) -> str:
    rows = f"{side.rows:,} rows"
    if isinstance(side.stands_for, int) and side.stands_for != side.rows:
        rows += f" that stand for {side.stands_for:,}"
    return f"{rows}, {span(side.start_ns, side.end_ns)}" if side.start_ns else rows


def control(card: Card) -> Iterator[Element]:
    """Yield the result of the no-signal control, or why it was not run."""
    control = card.training.control
    yield el("h2", "No-signal control")
    if control is None:
        why = card.training.control_left_out.rstrip(".")
        yield el("p", f"The no-signal control was not run: {why}.")
        return
    held = control.over.low <= 0
    yield el(
        "p",
        f"With outcomes moved against their rows, {control.candidate} had PR-AUC "
        f"{interval(control.pr_auc)} at base rate {estimate(control.base_rate)}: "
        f"{interval(control.over, signed=True)} beyond it. ",
        el(
            "strong",
            "It found no signal, as it should." if held else "It found a signal where none exists.",
        ),
    )


def span(start_ns: int, end_ns: int) -> str:
    """The minutes from and to; the day once where both are of one day."""
    start, end = minute_of(start_ns), minute_of(end_ns)
    day, minute = end.rsplit(" ", 1)
    return f"{start} to {minute if start.startswith(day) else end}"


def taus(card: Card, tau: Mapping[str, float]) -> str:
    """Return tau of each key, in the unit of the case's outcome."""
    axis = card.timeline.outcome_axis if card.timeline else OUTCOME
    return ", ".join(f"{key} {axis.text(value)}" for key, value in tau.items())


def goals(card: Card) -> Iterator[Element]:
    """Yield each goal with its result, and why it is not reached."""
    if not card.goals:
        return
    yield el("h2", "What it should reach")
    open_goals = [goal for goal in card.goals if not goal.reached]
    shared = [
        why
        for why in (open_goals[0].why if open_goals else ())
        if len(open_goals) > 1 and all(why in goal.why for goal in open_goals)
    ]
    level = f"result, {chosen(card.training).pr_auc.level:.0%} interval"
    head = el(
        "tr", *(el("th", title) for title in ("goal", level, "")), el("th", "why", class_="text")
    )
    body = el("tbody")
    for goal in card.goals:
        own = [why for why in goal.why if why not in shared][:_SHOWN_REASONS]
        mark, style = _VERDICTS[goal.verdict]
        cells = (
            ("result", goal.result, ""),
            ("", f"{mark} {goal.verdict}", f"goal {style}"),
            ("why", "; ".join(own), "text"),
        )
        body.append(
            el(
                "tr",
                el("th", goal.goal),
                *(el("td", text, class_=style, data_label=label) for label, text, style in cells),
            )
        )
    caption = "A goal is reached if the whole interval meets it, not the estimate alone"
    shown = el(
        "div",
        el("table", el("caption", caption), el("thead", head), body, class_="stacked"),
        class_="card",
    )
    if shared:
        shown.append(el("p", "For all that are not reached:"))
        shown.append(el("ul", *(el("li", why) for why in shared)))
    yield shown


def pairs(rows: Iterable[tuple[str, str]]) -> Element:
    """A two-column table of names and values."""
    body = el("tbody", *(el("tr", el("th", name), el("td", text)) for name, text in rows))
    return el("table", body, class_="facts")


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    groups: Sequence[tuple[str, int]] = (),
) -> Element:
    """A table; the row of `CHOSEN` is highlighted, and long cells wrap.

    groups: titles above the heads, each over so many columns. On a narrow page each row becomes a
    list of its cells, if there are many columns.
    """
    above = [title for title, columns in groups for _ in range(columns)] or [""] * len(heads)
    labels = [f"{group} {head}".strip() for group, head in zip(above, heads, strict=True)]
    body = el("tbody")
    for cells in rows:
        row = el("tr", el("th", cells[0]))
        for label, text in zip(labels[1:], cells[1:], strict=True):
            kind = "text" if len(text) > _LONGEST_FIGURE else "figure"
            row.append(el("td", text, class_=kind, data_label=label))
        if cells[0] == CHOSEN:
            row.set("class", "chosen")
        body.append(row)
    head = el("thead")
    if groups:
        head.append(el("tr", *(el("th", _kept(title), colspan=str(n)) for title, n in groups)))
    head.append(el("tr", *(el("th", _kept(title)) for title in heads)))
    stacked = {"class_": "stacked"} if len(heads) > _FEW_COLUMNS else {}
    return el("div", el("table", el("caption", caption), head, body, **stacked), class_="scroll")


def _kept(title: str) -> str:
    """The title with its arrow on the line of its last word."""
    return title.replace(" ↑", "\N{NO-BREAK SPACE}↑").replace(" ↓", "\N{NO-BREAK SPACE}↓")
