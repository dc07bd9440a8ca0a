"""A model card as one self-contained HTML page: no script, no external font or image.

It is built of elements, so text from data is escaped everywhere.
"""

from collections.abc import Iterator

from barograph.app.reports import card_charts
from barograph.app.reports.card_skill import skill
from barograph.app.reports.card_tables import (
    acting,
    control,
    folds,
    goals,
    pairs,
    sessions,
    span,
    table,
    taus,
    tried,
)
from barograph.app.reports.markup import Element, document, el
from barograph.figures import US, bounds, duration, estimate, figure, interval
from barograph.times import minute_of
from barograph.training import sample_words
from barograph.training.card import Card
from barograph.training.card_words import chosen
from barograph.training.timeline import STEPS
from barograph.training.walkforward import CHOSEN
from barograph.types import Interval

_HIGHER, _LOWER = "↑ higher is better", "↓ lower is better"


def page(card: Card) -> str:
    """The model card as an HTML document."""
    parts = (
        _top, _tiles, goals, _failures, skill, _curves, _time, _leaning, tried, acting, sessions,
        folds, control, _what, _data,
    )  # fmt: skip
    elements = (element for part in parts for element in part(card))
    return document(f"{_label(card)}: model card", elements)


def _label(card: Card) -> str:
    return f"{card.training.case}/{card.training.model.version}"


def _top(card: Card) -> Iterator[Element]:
    training = card.training
    promoted = training.gate.decision.promote
    yield el("p", "Barograph · model card", class_="kicker")
    yield el("h1", f"{_label(card)}: {training.model.chosen}")
    yield el(
        "p",
        f"made {minute_of(card.facts.created_time_ns)} UTC · {training.tested.split} · "
        f"{training.tested.rows:,} tested rows of {len(training.tested.folds)} folds · "
        f"{training.tested.episodes:,} independent positives",
        class_="about",
    )
    promotes = "promoted it" if training.settings.promote else "lets it pass"
    word = f"The gate {promotes}." if promoted else "The gate did not promote it."
    gate = training.gate
    on = f" It decided on {gate.judged_rows:,} tested rows. Champion: {gate.champion}."
    reasons = el("ul", *(el("li", reason) for reason in training.gate.decision.reasons))
    yield el(
        "div", el("strong", word), on, reasons, class_=f"verdict {'good' if promoted else 'bad'}"
    )


def _tiles(card: Card) -> Iterator[Element]:
    training, ours = card.training, chosen(card.training)
    beside = [
        row for row in training.tested.scores if row.name in card.curves and row.name != CHOSEN
    ]
    columns = (
        ("PR-AUC", "pr_auc", 3, _HIGHER, f"base rate {estimate(training.tested.base_rate)}"),
        ("log loss, nats", "log_loss", 4, _LOWER, ""),
        ("Brier score", "brier", 4, _LOWER, ""),
        ("calibration error", "calibration_error", 3, _LOWER, ""),
        ("log R² of the forecast", "log_r2", 3, _HIGHER, ""),
    )
    tiles = []
    for title, name, places, better, first in columns:
        of = getattr(ours, name)
        if of is None:
            continue
        theirs = [(row.name, getattr(row, name)) for row in beside]
        lines = [f"{other} {estimate(its, places)}" for other, its in theirs if its is not None]
        best: Interval | None = getattr(training.tested.knowable, name, None)
        if best is not None:
            lines.append(f"can be known {estimate(best, places)}")
        tiles.append(
            el(
                "div",
                el("span", title),
                el("b", estimate(of, places)),
                el("span", f"{of.level:.0%}: {bounds(of, places)}"),
                *(el("span", line) for line in [first] * bool(first) + lines),
                el("span", better, class_="better"),
                class_="tile",
            )
        )
    yield el("section", *tiles, class_="tiles")
    yield el(
        "p",
        "Scores pool each fold's predictions for rows that its model was not fitted on; intervals "
        "come from block resampling, as neighbouring rows are correlated.",
        class_="about",
    )


def _failures(card: Card) -> Iterator[Element]:
    if not card.failures:
        return
    yield el("h2", "Where it fails")
    yield el("div", el("ul", *(el("li", sentence) for sentence in card.failures)), class_="card")


def _curves(card: Card) -> Iterator[Element]:
    error = chosen(card.training).calibration_error
    left = el("div", el("h3", "Precision and recall"), class_="card")
    if card.curves[CHOSEN].recall:
        left.append(card_charts.precision_recall(card))
        left.append(el("p", "In the legend: PR-AUC. A model without skill stays on the base rate."))
    else:
        left.append(el("p", "No tested row is positive, so there is no curve."))
    rows = [
        (
            f"{one.mean_probability:.1%}",
            f"{one.came_true.estimate:.1%}",
            bounds(one.came_true, 1, share=True),
            f"{one.rows:,}",
        )
        for one in card.bins
    ]
    right = el(
        "div",
        el("h3", "Calibration"),
        card_charts.reliability(card),
        el("p", f"Calibration error {interval(error)}: the mean gap over ten groups of rows."),
        class_="card",
    )
    yield el("h2", "How good it is")
    yield el("section", left, right, class_="pair")
    heads = ("predicted", "observed", f"{error.level:.0%}", "rows")
    yield el("div", table("Calibration, in groups of like probability", heads, rows), class_="card")


def _time(card: Card) -> Iterator[Element]:
    timeline = card.timeline
    if timeline is None:
        return
    outcome, level = timeline.outcome_axis, timeline.level_axis
    yield el("h2", "Forecasts and episodes over time")
    legend = el("p", el("span", class_="swatch said"), "probability", class_="about")
    shown = [("storm", "true episode"), ("level", "threshold of an alarm, and tau")]
    if any(one.outcome_low for one in timeline.strips):
        shown.insert(1, ("outcome", f"{outcome.name} of the horizon that follows"))
    if any(one.level for one in timeline.strips):
        shown.append(("price", level.title))
    for kind, text in shown:
        legend.append(el("span", class_=f"swatch {kind}"))
        legend.append(el("span", text))
    yield legend
    strips = el("div", class_="card")
    for one in timeline.strips:
        step_s = one.step_ns / 1e9
        when = span(one.start_ns, one.end_ns)
        title = f"{one.key} · {when} UTC · {one.rows:,} rows, a step is {step_s:g} s"
        pictures = card_charts.strip(one, outcome, level)
        strips.append(el("figure", el("h4", title), *pictures, style="margin:0"))
    yield strips
    left = (
        f" {timeline.strips_left_out} shorter ones are not shown."
        if timeline.strips_left_out
        else ""
    )
    yield el(
        "p",
        f"One strip per session and key, at most {STEPS} steps long. Each step spans the lowest to "
        "the highest probability in it, so no alarm is smoothed away; white marks steps without a "
        f"prediction or a tested row. An episode narrower than a line is drawn as one line.{left}",
        class_="about",
    )
    leads = sorted(one.lead_s for one in timeline.episodes if one.lead_s)
    episodes = len(timeline.episodes)
    text = f"{len(leads)} of {episodes} episodes, each key for itself, had an alarm in time"
    if leads:
        text += (
            f": half of these at least {duration(leads[len(leads) // 2])} before the storm was a "
            f"fact, the earliest {duration(leads[-1])}, the latest {duration(leads[0])}"
        )
    false = sum(one.alarms for one in timeline.false_alarms)
    yield el("p", f"{text}. {false:,} alarms touched no episode.")


def _leaning(card: Card) -> Iterator[Element]:
    yield el("h2", "Feature importance")
    shown = el("div", class_="card")
    if card.importance:
        shown.append(card_charts.importance(card.importance))
        shown.append(
            el(
                "p",
                "Rise of log loss on tested rows when a feature takes its values from another "
                "block of the same fold and key; the line spans the repeats. Correlated features "
                "stand in for each other, so each appears less important.",
            )
        )
    rows = [
        (
            one.feature,
            figure(one.rise, 4),
            f"{figure(one.low, 4)} to {figure(one.high, 4)}",
            str(one.folds),
        )
        for one in card.importance
    ]
    features = table(
        "All features of the chosen models", ("feature", "rise, nats", "repeats", "folds"), rows
    )
    yield el("section", shown, el("div", features, class_="card"), class_="pair")


def _what(card: Card) -> Iterator[Element]:
    training, facts = card.training, card.facts
    rows: list[tuple[str, str]] = [
        ("candidate", f"{facts.candidate}, fitted in the last fold, as it was tested there"),
        ("features", ", ".join(facts.features)),
        ("feature set", facts.feature_set),
    ]
    if facts.horizon_s:
        rows.append(("horizon", f"{facts.horizon_s} s"))
    if facts.tau:
        rows.append(("tau", taus(card, facts.tau)))
    acts = f"a probability of {facts.threshold:.4f} on, by held-out rows"
    rows.append(("acts from", f"{acts}: {card.threshold_rule}" if card.threshold_rule else acts))
    if facts.train_end_ns:
        rows.append(("fitted on", f"{span(facts.train_start_ns, facts.train_end_ns)} UTC"))
    if facts.expires_time_ns is not None:
        rows.append(("expires", f"{minute_of(facts.expires_time_ns)} UTC"))
    rows += [
        ("time for a row", f"{duration(training.model.row_us, US)}"),
        ("graph", f"ONNX, sha256 {facts.sha256}"),
        ("data", training.data.data_hash),
        ("code", training.code_hash or "unknown"),
        ("seed", str(facts.seed)),
    ]
    yield el("h2", "What it is")
    yield el("div", pairs(rows), class_="card")


def _data(card: Card) -> Iterator[Element]:
    training = card.training
    unused = ", ".join(f"{reason} {rows:,}" for reason, rows in training.data.unused.items())
    rows = [
        ("usable rows", f"{training.data.usable_rows:,}"),
        ("not usable", unused or "none"),
        ("features offered", ", ".join(training.data.features)),
    ]
    for what, left_out in (
        ("feature left out", training.data.features_left_out),
        ("key left out", training.tested.keys_left_out),
        ("candidate left out", training.tested.candidates_left_out),
    ):
        rows += [
            (what, f"{name}: {why.removeprefix(f'{name}: ')}") for name, why in left_out.items()
        ]
    yield el("h2", "Data")
    yield el("div", pairs(rows), class_="card")
    if (sample := sample_words.sample_of(training)) is not None:
        yield el("p", " ".join(sample_words.sentences(sample)))
    phases = " · ".join(f"{name} {duration(seconds)}" for name, seconds in training.seconds.items())
    verb = f"barograph report card {training.model.version} --case {training.case} --json"
    yield el("p", f"Trained in: {phases}. All figures: ", el("code", verb), class_="about")
