"""Tables of a model card's page."""

from collections.abc import Iterable, Iterator, Sequence

from barograph.app.reports.markup import Element, el
from barograph.figures import NOT_DEFINED, estimate, figure, interval
from barograph.times import minute_of
from barograph.training.card import Card
from barograph.training.card_words import NAMES
from barograph.training.pooled import SessionRow
from barograph.training.walkforward import CHOSEN, SideFacts


def tried(card: Card) -> Iterator[Element]:
    """Yield the scores of every candidate, and the differences to the baselines."""
    level = f"[{card.training.tested.base_rate.level:.0%}]"
    heads = (
        "", f"PR-AUC {level}", "by forecast", "lift", "ROC-AUC", "Brier", "log loss", "ECE",
        "log R²", "QLIKE",
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
    caption = (
        "All on the same tested rows; the choice is made by log loss on held-out rows. By "
        "forecast: PR-AUC when ranked by the forecast over tau, without calibration."
    )
    yield el("div", table(caption, heads, rows), class_="card")
    caption = "Minus a baseline, on the same resamples; PR-AUC by each model's better ranking"
    versus = ("", "minus", "PR-AUC", "Brier", "log loss")
    differences = [
        (
            one.name,
            one.minus,
            interval(one.pr_auc, signed=True),
            interval(one.brier, 4, signed=True),
            interval(one.log_loss, 4, signed=True),
        )
        for one in card.training.tested.differences
    ]
    yield el("div", table(caption, versus, differences), class_="card")


def acting(card: Card) -> Iterator[Element]:
    """Yield the scores of alarms at each model's threshold, if the case has any."""
    rows = card.training.tested.scores
    names = sorted({name for row in rows for name in row.acting})
    if not names:
        return
    heads = ("", *(name.replace("_per_hour", " per hour").replace("_", " ") for name in names))
    cells = [(row.name, *(figure(row.acting.get(name), 2) for name in names)) for row in rows]
    caption = "Alarms at each model's threshold, on tested rows"
    yield el("div", table(caption, heads, cells), class_="card")


def sessions(card: Card) -> Iterator[Element]:
    """Yield the scores of each session."""
    sessions, names = (
        card.training.tested.sessions,
        [CHOSEN, *(n for n in card.curves if n != CHOSEN)],
    )
    measures = [
        name for name in ("pr_auc", "log_loss", "log_r2") if any(getattr(s, name) for s in sessions)
    ]
    heads = (
        "from", "rows", "base rate", "positives",
        *(f"{NAMES[measure]} {name}" for measure in measures for name in names),
    )  # fmt: skip
    rows = [_session(session, measures, names) for session in sessions]
    yield el("h2", "Scores by session")
    yield el(
        "div",
        table("Scores of a session with few positives are uncertain", heads, rows),
        class_="card",
    )


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
            ", ".join(f"{key} {tau:.3g}" for key, tau in fold.tau.items()) or NOT_DEFINED,
        )
        for number, fold in enumerate(card.training.tested.folds, 1)
    ]
    yield el("h2", f"How it was tested: {card.training.tested.split}")
    yield el(
        "div",
        table("Each fold is fitted without the rows it is tested on", heads, rows),
        class_="card",
    )


def _side(side: SideFacts) -> str:
    if not side.start_ns:
        return f"{side.rows:,} rows"
    return f"{side.rows:,} rows, {minute_of(side.start_ns)} to {minute_of(side.end_ns)}"


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


def pairs(rows: Iterable[tuple[str, str]]) -> Element:
    """A two-column table of names and values."""
    body = el("tbody", *(el("tr", el("th", name), el("td", text)) for name, text in rows))
    return el("table", body, class_="facts")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Element:
    """A table that scrolls if too wide; the row of `CHOSEN` is highlighted."""
    body = el("tbody")
    for cells in rows:
        row = el("tr", el("th", cells[0]), *(el("td", text) for text in cells[1:]))
        if cells[0] == CHOSEN:
            row.set("class", "chosen")
        body.append(row)
    head = el("thead", el("tr", *(el("th", title) for title in heads)))
    return el("div", el("table", el("caption", caption), head, body), class_="scroll")
