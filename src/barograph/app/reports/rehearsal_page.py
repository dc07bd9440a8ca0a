"""A rehearsal as one self-contained HTML page: no script, no external font or image.

It is built of elements, so text from data is escaped everywhere.
"""

from collections.abc import Callable, Iterator

import msgspec

from barograph.app.reports.markup import Element, document, el
from barograph.app.reports.rehearsal_charts import latencies, ranking, reliability
from barograph.app.runs.rehearsal_accounts import ModeAccount, RefusedSample, Rehearsal, Sample
from barograph.figures import MS, US, duration, estimate, interval
from barograph.log.browse import is_json
from barograph.times import clock_of, minute_of
from barograph.training.walkforward import CHOSEN
from barograph.types import Verdict

_SHOWN_CHARACTERS = 600


def page(done: Rehearsal) -> str:
    """The rehearsal as an HTML document."""
    parts = (_top, _tiles, _modes, _model, _refused, _samples, _how)
    elements = (element for part in parts for element in part(done))
    return document(f"{done.case}: a rehearsal", elements)


def _top(done: Rehearsal) -> Iterator[Element]:
    yield el("p", "Barograph · a rehearsal", class_="kicker")
    yield el("h1", f"Case {done.case}, from a file to predictions")
    yield el(
        "p",
        f"{minute_of(done.started_time_ns)} UTC · {done.file} · log {done.log} · "
        f"{duration(done.seconds)}",
        class_="about",
    )
    if done.ok:
        records = done.stream.records + done.batch.records
        predictions = done.stream.predictions + done.batch.predictions
        text = (
            f"{records:,} records in, {predictions:,} predictions out, "
            f"{records - predictions:,} refused: "
            "each record once, nothing lost, nothing invented."
        )
        yield el("p", el("strong", "The counts add up. "), text, class_="verdict good")
    else:
        problems = el("ul", *(el("li", problem) for problem in done.problems))
        verdict = el("strong", "The counts do not add up.")
        yield el("div", verdict, problems, class_="verdict bad")
    if done.invented_records:
        yield el(
            "p",
            el("strong", "These records are generated. "),
            "No file was given. The page shows how the system works; its scores describe no real "
            "records.",
            class_="verdict note",
        )


def _tiles(done: Rehearsal) -> Iterator[Element]:
    stream, batch = done.stream, done.batch
    tiles = [
        ("stream: p50 latency", duration(stream.latency.p50_ms, MS), "from sent to predicted"),
        ("stream: p99 latency", duration(stream.latency.p99_ms, MS), "from sent to predicted"),
        ("batch: scored", f"{batch.consumer.records_per_s:,.0f}/s", "records per second"),
        ("batch: contract and model", duration(batch.inference.mean_us, US), "mean per record"),
    ]
    yield el(
        "section",
        *(
            el("div", el("span", label), el("b", figure), el("span", unit), class_="tile")
            for label, figure, unit in tiles
        ),
        class_="tiles",
    )


def _modes(done: Rehearsal) -> Iterator[Element]:
    rows: list[tuple[str, Callable[[ModeAccount], str]]] = [
        ("records sent", lambda m: f"{m.producer.sent:,}"),
        ("sent at", lambda m: f"{m.producer.rate:,.0f}/s"),
        ("predictions", lambda m: f"{m.predictions:,}"),
        ("of these without a probability", lambda m: f"{_without_probability(m):,}"),
        ("of these at or above the threshold", lambda m: f"{m.flagged:,}"),
        ("dead letters", lambda m: f"{sum(m.dead_letters.values()):,}"),
        ("lost", lambda m: f"{m.lost:,}"),
        ("invented", lambda m: f"{m.invented:,}"),
        ("consumed at", lambda m: f"{m.consumer.records_per_s:,.0f}/s"),
        ("commits, and fenced ones", lambda m: f"{m.consumer.commits:,}, {m.consumer.fenced:,}"),
        ("latency p50", lambda m: duration(m.latency.p50_ms, MS)),
        ("latency p95", lambda m: duration(m.latency.p95_ms, MS)),
        ("latency p99", lambda m: duration(m.latency.p99_ms, MS)),
        ("longest latency", lambda m: duration(m.latency.max_ms, MS)),
        ("contract and model, mean", lambda m: duration(m.inference.mean_us, US)),
        ("contract and model, p99", lambda m: duration(m.inference.p99_us, US)),
    ]
    cells = [
        el("tr", el("th", name), el("td", of(done.stream)), el("td", of(done.batch)))
        for name, of in rows
    ]
    head = el("tr", el("th", ""), el("th", "stream"), el("th", "batch"))
    yield el("h2", "Two modes")
    yield el(
        "section",
        el("div", el("table", el("thead", head), el("tbody", *cells)), class_="card"),
        el(
            "div",
            el("h3", "Latency: from sending a record to reading its prediction"),
            latencies({"stream": done.stream.latency, "batch": done.batch.latency}),
            el(
                "p",
                "In stream mode the consumer waits for records. In batch mode records wait for the "
                "consumer: it starts once the whole file is in the log, and its start-up counts.",
            ),
            class_="card",
        ),
        class_="pair",
    )


def _model(done: Rehearsal) -> Iterator[Element]:
    training = done.training
    chosen = next(row for row in training.tested.scores if row.name == CHOSEN)
    verdict = (
        f"{done.champion} is champion, {training.model.chosen} the choice of this training."
        if done.champion
        else "The gate promoted no model, so there is no champion and no probability."
    )
    scores = (
        f"Out of sample, on {training.tested.rows:,} records: PR-AUC "
        f"{interval(chosen.pr_auc)}, ROC-AUC {estimate(chosen.roc_auc)}, "
        f"Brier {estimate(chosen.brier, 4)}; alert threshold {training.model.threshold:.1%}."
    )
    yield el("h2", "The model")
    yield el("p", el("strong", verdict), " ", scores)
    left = el(
        "div",
        el("h3", "PR-AUC of each candidate, with its interval"),
        ranking(training.tested.scores, training.tested.base_rate.estimate, CHOSEN),
        el(
            "h3",
            "Why the gate "
            + ("promoted it" if training.gate.decision.promote else "did not promote it"),
        ),
        el("ul", *(el("li", reason) for reason in training.gate.decision.reasons)),
        class_="card",
    )
    right = el("div", el("h3", "Calibration"), class_="card")
    if done.reliability:
        right.append(reliability(done.reliability))
        counted = (
            f"{done.unseen_rows:,} records that {done.champion} was not fitted on, grouped by "
        )
        right.append(el("p", counted + "probability: mean prediction against observed frequency."))
    else:
        right.append(el("p", "There are too few records that the champion was not fitted on."))
    yield el("section", left, right, class_="pair")


def _refused(done: Rehearsal) -> Iterator[Element]:
    counts = dict.fromkeys((*done.stream.dead_letters, *done.batch.dead_letters), 0)
    for mode in (done.stream, done.batch):
        for fault, count in mode.dead_letters.items():
            counts[fault] += count
    yield el("h2", "Refused records")
    sent = "Broken copies of a good record were sent with the stream. "
    if done.dead_letters_command is None:
        kept = "Each became a dead letter in a temporary log; with --home the log is kept."
        yield el("p", sent, kept)
    else:
        kept = "Each is kept as a dead letter with its bytes, and can be inspected and re-driven: "
        yield el("p", sent, kept, el("code", done.dead_letters_command))
    yield el(
        "div", *(_refusal(each, counts[each.fault]) for each in done.refused), class_="card list"
    )


def _refusal(each: RefusedSample, count: int) -> Element:
    return el(
        "details",
        el(
            "summary",
            el("span", each.fault, class_="tag"),
            el("span", f"{count:,} ×", class_="number"),
            el("span", each.detail, class_="wide"),
        ),
        el("p", f"{each.identity} · key {each.key or '(none)'} · {each.bytes:,} bytes"),
        _code(each.original),
    )


def _samples(done: Rehearsal) -> Iterator[Element]:
    yield el("h2", f"{len(done.samples)} records, each followed to its prediction")
    names = ("mode", "key", "probability", "latency")
    head = el("div", *(el("span", name) for name in names), class_="head")
    yield el("div", head, *(_sample(each) for each in done.samples), class_="card list")


def _sample(each: Sample) -> Element:
    prediction = each.prediction
    chance = (
        prediction.verdict if prediction.probability is None else f"{prediction.probability:.1%}"
    )
    return el(
        "details",
        el(
            "summary",
            el("span", each.mode, class_="tag"),
            el("span", each.key, class_="key"),
            el("span", chance, class_="number strong" if prediction.label else "number"),
            el("span", duration(each.latency_ms, MS), class_="number"),
        ),
        el("h4", f"in: {each.record_place}"),
        el(
            "p",
            f"sent {clock_of(each.produced_time_ns, 3)}, in the log "
            f"{clock_of(each.record_appended_time_ns, 3)}",
        ),
        _code(each.record),
        el("h4", f"out: {each.prediction_place}"),
        el(
            "p",
            f"in the log {clock_of(each.prediction_appended_time_ns, 3)}, read "
            f"{duration(each.latency_ms, MS)} after the record was sent, "
            f"{duration(each.inference_us, US)} of it in contract and model",
        ),
        _code(msgspec.json.encode(prediction).decode()),
    )


def _how(done: Rehearsal) -> Iterator[Element]:
    phases = " · ".join(
        f"{name} {duration(seconds)}" for name, seconds in done.phase_seconds.items()
    )
    yield el("h2", "How this was measured")
    yield el(
        "p",
        "Producer and consumer are separate processes. A third process reads the log, and its "
        "records are compared with what the contract demands for each record of the file: one "
        "prediction for each good one, one dead letter with fault and bytes for each other. "
        "A latency ends when that reader has the committed prediction. All run on one machine.",
    )
    yield el("p", f"{phases}. All figures: summary.json, beside this page.", class_="about")


def _code(text: str) -> Element:
    if is_json(text.encode()):  # spaces let lines wrap
        text = msgspec.json.format(text, indent=0)
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + " …"
    return el("pre", el("code", shown))


def _without_probability(mode: ModeAccount) -> int:
    return mode.predictions - mode.verdicts.get(Verdict.PREDICTED, 0)
