"""Terminal output of a training or promotion on a few lines: what came out, why, what next."""

import math
from textwrap import wrap

from rich.console import Console, Group, RenderableType
from rich.text import Text

from barograph.app.terminal import training_table
from barograph.app.terminal.detail import Detail, chosen
from barograph.app.terminal.terminal import plain
from barograph.figures import NOT_DEFINED, estimate, figure, interval
from barograph.foreign import spelled_out
from barograph.registry.audit import Promotion
from barograph.training import sample_words
from barograph.training.knowable_scores import Knowable
from barograph.training.pooled import ScoreRow
from barograph.training.report import TrainingReport
from barograph.types import Interval

WIDTH = 80
_LINES = 12
_INDENT = "    "


def training(report: TrainingReport, following: str = "", lines: int = _LINES) -> RenderableType:
    """What was trained, how well it does, the gate's reasons, and `following`, the next step.

    At most `lines` lines of 80 columns; reasons that have no room are counted.
    """
    passed = report.gate.decision.promote
    label = f"{report.case}/{report.model.version} ({report.model.chosen})"
    if not passed:
        state = "is a candidate; the gate did not promote it"
    elif report.settings.promote:
        state = "is champion"
    else:
        state = "is a candidate that the gate lets pass"
    head = _marked(passed, f"{label} {state}")
    above = [head, *_scores(report), *_sample(report)]
    below = wrap(f"next: {following}", WIDTH - 2, break_long_words=False) if following else []
    left = lines - len(above) - len(below)
    return Group(*above, *_reasons(report, left), *(plain(line) for line in below))


def promotion(case: str, entry: Promotion, following: str) -> RenderableType:
    """Which version is champion now, in place of which, why, and `following`, the next step."""
    before = "" if entry.previous is None else f", in place of {case}/{entry.previous}"
    return Group(
        _marked(True, f"{case}/{entry.version} is champion{before}: {entry.reason}"),  # noqa: FBT003
        plain(f"next: {following}"),
    )


def _marked(good: bool, text: str) -> Text:
    return Text("✓ " if good else "✗ ", style="bold green" if good else "bold yellow").append(
        spelled_out(text)
    )


def unjudged(report: TrainingReport) -> str:
    """Why nothing could be judged, in words; empty if the tested rows are of both kinds."""
    rate = report.tested.base_rate.estimate
    what = "minute of the test was a spike" if report.case == "spikes" else "tested row is positive"
    if rate == 0:
        return f"no {what}"
    if rate == 1:
        return f"every {what}"
    return ""


def _scores(report: TrainingReport) -> list[Text]:
    """The chosen model's scores beside a baseline's; nothing if they are not defined.

    Those of the value's forecast where the case has one, else PR-AUC.
    """
    if unjudged(report):
        return []
    tested = report.tested
    ours = tested.scores[-1]
    if ours.level is not None:
        return _of_value(report, ours)
    reference = next(row for row in tested.scores if row.name == tested.reference)
    rate = f"base rate {estimate(tested.base_rate, 2)}"
    independent = f"{tested.rows:,} test rows with {tested.episodes:,} independent positives"
    return [
        plain(f"  {independent}, {rate}"),
        plain(
            f"  PR-AUC {interval(ours.pr_auc, 2)}, {reference.name} {interval(reference.pr_auc, 2)}"
        ),
        *_known(tested.knowable),
        *(_acting(ours.acting) if report.gate.decision.promote else []),
    ]


def _sample(report: TrainingReport) -> list[Text]:
    """What was kept of a dataset with more rows than a training may have."""
    sample = sample_words.sample_of(report)
    return [] if sample is None else [plain(f"  {sample_words.short(sample)}")]


def _known(of: Knowable | None) -> list[Text]:
    """How much of what can be known the choices know, where there is an estimate of that."""
    if of is None or of.pr_auc_share is None:
        return []
    of_level = "" if of.log_r2_share is None else f", and {_share(of.log_r2_share)} of log R²"
    above = f"{_share(of.pr_auc_share)} of the PR-AUC above the base rate that can be known"
    return [plain(f"  {above}{of_level}")]


def _share(of: Interval) -> str:
    return figure(of.estimate, 0, share=True)


def _of_value(report: TrainingReport, ours: ScoreRow) -> list[Text]:
    """QLIKE and log R² beside the baseline of the lowest QLIKE, and how much the intervals held."""
    tested = report.tested
    held = "" if ours.level is None else interval(ours.level.coverage, 1, share=True)
    lines = [f"  {tested.rows:,} test rows; its intervals held {held} of what came"]
    if ours.qlike is not None and ours.log_r2 is not None:
        baselines = [each for each in tested.scores if not each.eligible and each.qlike is not None]
        best = min(baselines, key=lambda each: each.qlike.estimate if each.qlike else math.inf)
        lines += [
            f"  QLIKE {interval(ours.qlike, 3)}, {best.name} {_middle(best.qlike)}, less is better",
            f"  log R² {interval(ours.log_r2, 3)}, {best.name} {_middle(best.log_r2)}",
        ]
    return [plain(line) for line in lines]


def _middle(score: Interval | None) -> str:
    return NOT_DEFINED if score is None else estimate(score, 3)


def _acting(acting: dict[str, float]) -> list[Text]:
    """Alarms at the threshold, of a series."""
    if "recall" not in acting or "false_alarms_per_hour" not in acting:
        return []
    return [
        plain(
            f"  at its threshold it finds {figure(acting['recall'], 0, share=True)} of them, with "
            f"{figure(acting['false_alarms_per_hour'], 1)} false alarms per hour"
        )
    ]


def _reasons(report: TrainingReport, room: int) -> list[Text]:
    """The gate's word in at most `room` lines: that all rules hold, or those that are broken."""
    reasons = report.gate.decision.reasons
    if report.gate.decision.promote:
        rules = f"all {len(reasons)} rules of the gate hold (-v or the card lists them)"
        return [Text("  ✓ ", "green").append(rules)]
    if why := unjudged(report):
        reasons = (f"{why}, so nothing could be judged",)
    shown: list[Text] = []
    for place, reason in enumerate(reasons):
        parts = wrap(spelled_out(reason), WIDTH - len(_INDENT)) or [""]
        left = len(reasons) - place
        if len(shown) + len(parts) > room - (left > 1):
            shown.append(plain(f"{_INDENT}{left} more with -v or on the card"))
            break
        shown.append(Text("  ✗ ", "yellow").append(parts[0]))
        shown += [Text(_INDENT + part) for part in parts[1:]]
    return shown


def next_step(report: TrainingReport, options: str) -> str:
    """What to do after a training. options: those that name case and home, for a command."""
    if unjudged(report):
        return f"add another session, `barograph dataset{options}`, and train again"
    return f"barograph report card {report.model.version}{options}"


def show(console: Console, report: TrainingReport, lines: int = _LINES) -> None:
    """Print a training on `console` as -v and -q say: in full, on a few lines, or not at all."""
    if chosen() is Detail.FULL:
        console.print(training_table.training(report))
    elif chosen() is Detail.SUMMARY:
        console.print(training(report, lines=lines))
