"""The sentences of a model card, each derived from scores by a rule of this file."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from barograph.figures import figure, interval
from barograph.times import minute_of
from barograph.training.pooled import ScoreRow, SessionRow
from barograph.training.report import TrainingReport
from barograph.training.timeline import Timeline
from barograph.training.walkforward import CHOSEN
from barograph.types import HOUR_NS, Interval

_FEW_ROWS = 0.05  # share of all tested rows; smaller sessions are ignored
_FAR_APART = 3.0  # ratio from which sessions are called different
_SHOWN = 5

NAMES: Mapping[str, str] = {
    "pr_auc": "PR-AUC",
    "log_r2": "log R²",
    "brier": "Brier score",
    "log_loss": "log loss",
}


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Tested rows of similar probability: mean prediction and observed frequency."""

    rows: int
    mean_probability: float = msgspec.field(name="said")
    came_true: Interval


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A goal of the chosen models, its result, whether it is reached, and if not, the reasons.

    It is reached if the whole interval meets it, and undecided if only a part of it does.
    """

    goal: str
    result: str = msgspec.field(name="found")
    reached: bool
    why: tuple[str, ...]
    undecided: bool = False

    @property
    def verdict(self) -> str:
        """Return the word reached, undecided or not reached."""
        return "reached" if self.reached else "undecided" if self.undecided else "not reached"


def goals(report: TrainingReport, wanted: Mapping[str, float]) -> list[Goal]:
    """Check the `wanted` scores, and Brier score and log loss against each baseline."""
    reasons = tuple(_reasons(report))
    goals = []
    for name, least in wanted.items():
        of: Interval | None = getattr(chosen(report), name)
        reached = of is not None and of.low >= least
        undecided = of is not None and of.low < least <= of.high
        why = () if reached else (*_nearness(of, least), *_others(report, name, least), *reasons)
        text = f"{NAMES.get(name, name)} of at least {least:g}"
        goals.append(
            Goal(goal=text, result=interval(of), reached=reached, why=why, undecided=undecided)
        )
    for difference in report.tested.differences:
        if difference.name != CHOSEN:
            continue
        for name in ("brier", "log_loss"):
            of = getattr(difference, name)
            reached, undecided = of.high < 0, of.low < 0 <= of.high
            why = () if reached else (*_overlap(of, difference.minus), *reasons)
            text = f"{NAMES[name]} significantly below that of {difference.minus}"
            result = interval(of, 4, signed=True)
            goals.append(
                Goal(goal=text, result=result, reached=reached, why=why, undecided=undecided)
            )
    return goals


def _nearness(of: Interval | None, least: float) -> Iterator[str]:
    if of is None:
        yield "a fold chose a classifier, which forecasts no volatility"
    elif math.isnan(of.estimate):
        yield "it is undefined: the tested rows are all of one class"
    elif of.estimate >= least:
        yield f"the estimate reaches {least:g}, the lower end of its interval does not"
    elif of.high >= least:
        yield f"only the upper end of the interval reaches {least:g}: more hours may decide"
    else:
        yield f"the whole interval lies below {least:g}"


def _others(report: TrainingReport, name: str, least: float) -> Iterator[str]:
    """The best result of all candidates."""
    scored = {row.name: getattr(row, name) for row in report.tested.scores if row.name != CHOSEN}
    known = {other: of.estimate for other, of in scored.items() if of is not None}
    known = {other: value for other, value in known.items() if not math.isnan(value)}
    if known:
        best = max(known, key=lambda other: known[other])
        verb = "reached" if known[best] >= least else "came closest with"
        yield f"of all candidates {best} {verb} {figure(known[best])}"


def _overlap(of: Interval, baseline: str) -> Iterator[str]:
    if of.low > 0:
        yield f"{baseline} is significantly better here"
    elif of.estimate < 0:
        yield f"the difference to {baseline} has the right sign, but its interval includes 0"
    else:
        yield f"{baseline} is at least as good on these rows"


def _reasons(report: TrainingReport) -> Iterator[str]:
    """Reasons why the scores of this training are uncertain or low."""
    least = report.settings.gate.min_episodes
    if report.tested.episodes < least:
        episodes = report.tested.episodes
        yield f"only {episodes} independent positives were tested, at least {least} are needed"
    known = _sizeable(report)
    if len(known) == 1 and known[0].start_ns:
        yield "all tested rows are of one regime, which says little about others"
    for what, of in (("base rate", _base_rate), ("median outcome", _median)):
        values = sorted(of(session) for session in known)
        if len(values) > 1 and values[-1] > _FAR_APART * values[0]:
            low, high = (f"{value:.3g}" for value in (values[0], values[-1]))
            yield f"the {what} of the sessions lies between {low} and {high}: they differ"
    if (worst := _worst(report, known)) is not None and len(known) > 1:
        ours, theirs = (worst.log_loss[name] for name in (CHOSEN, report.tested.reference))
        yield (
            f"in the session from {minute_of(worst.start_ns)} log loss is {figure(ours)}, "
            f"{figure(theirs)} with {report.tested.reference}"
        )


def _base_rate(session: SessionRow) -> float:
    return session.base_rate


def _median(session: SessionRow) -> float:
    return session.median_outcome


def failures(report: TrainingReport, bins: Sequence[Bin], timeline: Timeline | None) -> list[str]:
    """Sentences on the worst session, missed episodes, false alarms and the calibration gap."""
    parts: list[Callable[[], Iterator[str]]] = [
        lambda: _worst_session(report),
        lambda: _missed(timeline),
        lambda: _false(report, timeline),
        lambda: _gap(bins),
    ]
    return [sentence for part in parts for sentence in part()]


def _worst_session(report: TrainingReport) -> Iterator[str]:
    known = _sizeable(report)
    worst = _worst(report, known)
    if worst is None or len(known) < 2:
        return
    ours, theirs = (worst.log_loss[name] for name in (CHOSEN, report.tested.reference))
    than = "worse than" if ours > theirs else "not worse than"
    yield (
        f"Its worst session against {report.tested.reference} is the one from "
        f"{minute_of(worst.start_ns)}: log loss {figure(ours)}, {than} {figure(theirs)}, "
        f"at a base rate of {worst.base_rate:.1%}."
    )


def _missed(timeline: Timeline | None) -> Iterator[str]:
    if timeline is None or not timeline.episodes:
        return
    missed = [one for one in timeline.episodes if not one.lead_s]
    if not missed:
        yield f"All {len(timeline.episodes)} episodes had an alarm in time."
        return
    worst = sorted(missed, key=lambda one: (math.isnan(one.peak), -one.peak, one.start_ns))
    shown = "; ".join(
        f"{one.key} {minute_of(one.start_ns)}"
        + ("" if math.isnan(one.peak) else f", up to {one.peak:.1f} times tau")
        for one in worst[:_SHOWN]
    )
    text = f"{len(missed)} of {len(timeline.episodes)} episodes had no alarm in time"
    yield f"{text}, the heaviest: {shown}." if len(missed) > _SHOWN else f"{text}: {shown}."


def _false(report: TrainingReport, timeline: Timeline | None) -> Iterator[str]:
    if timeline is None:
        return
    alarms = timeline.false_alarms
    total = sum(one.alarms for one in alarms)
    if not total:
        yield "No alarm was false."
        return
    shown = "; ".join(
        f"{one.key} {minute_of(one.start_ns)}, {one.alarms}" for one in alarms[:_SHOWN]
    )
    yield f"{total} alarms touched no episode, most of them in the hours from: {shown}."
    known = _sizeable(report)
    if len(known) > 1:
        inside = {
            session.start_ns: sum(
                one.alarms
                for one in alarms
                if session.start_ns - HOUR_NS < one.start_ns < session.end_ns
            )
            for session in known
        }
        start_ns = max(inside, key=lambda start_ns: inside[start_ns])
        share = inside[start_ns] / total
        yield f"{share:.0%} of these fell into the session from {minute_of(start_ns)}."


def _gap(bins: Sequence[Bin]) -> Iterator[str]:
    if not bins:
        return
    worst = max(bins, key=lambda one: abs(one.mean_probability - one.came_true.estimate))
    of = worst.came_true
    outside = "" if of.low <= worst.mean_probability <= of.high else ", outside that interval"
    yield (
        f"The largest calibration gap: at a mean prediction of {worst.mean_probability:.1%}, the "
        f"observed frequency is {interval(of, 1, share=True)}{outside} ({worst.rows:,} rows)."
    )


def _sizeable(report: TrainingReport) -> list[SessionRow]:
    return [one for one in report.tested.sessions if one.rows >= _FEW_ROWS * report.tested.rows]


def _worst(report: TrainingReport, known: Sequence[SessionRow]) -> SessionRow | None:
    """The session with the largest excess of log loss over the reference's."""

    def excess(session: SessionRow) -> float:
        return session.log_loss[CHOSEN] - session.log_loss[report.tested.reference]

    return max(known, key=excess, default=None)


def chosen(report: TrainingReport) -> ScoreRow:
    """The scores of the choices of all folds."""
    return next(row for row in report.tested.scores if row.name == CHOSEN)
