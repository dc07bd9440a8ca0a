"""How much skill the choices have, and where: sentences that follow from the scores by rules."""

from collections.abc import Iterator, Sequence

from barograph.figures import estimate, interval
from barograph.training.card_words import chosen
from barograph.training.knowable_scores import Knowable
from barograph.training.pooled import ScoreRow
from barograph.training.report import TrainingReport
from barograph.training.skill import PartKind, SkillRow
from barograph.training.walkforward import CHOSEN
from barograph.types import Interval

_KINDS: dict[PartKind, str] = {
    "key": "keys",
    "regime": "thirds by current volatility",
    "hour": "hours of the day (UTC)",
    "session": "sessions from",
}
_SHOWN = 6


def sentences(report: TrainingReport) -> list[str]:
    """Sentences on what can be known, what beats the reference, and where the choices beat others.

    A difference counts if its whole interval lies on one side of 0; a part of too few blocks for an
    interval, by the gate's rule, is only counted.
    """
    tested, least = report.tested, report.settings.gate.min_blocks
    known = [row for row in tested.skill if row.blocks >= least]
    few = [row for row in tested.skill if row.blocks < least]
    parts = [row for row in known if row.by != "all"]
    found = [] if tested.knowable is None else list(_known(report, tested.knowable))
    found += [
        sentence for row in known if row.by == "all" for sentence in _overall(row, tested.reference)
    ]
    found += _listed(
        f"Nothing has a log loss surely below that of {tested.reference} in",
        [row for row in parts if not row.better_than_reference],
    )
    found += _listed(
        "In log loss the choices are surely worse than the best baseline in",
        [row for row in parts if row.log_loss.difference.low > 0],
    )
    found += _listed(
        "In log loss the choices are surely better than the best baseline in",
        [row for row in parts if row.log_loss.difference.high < 0],
    )
    if few:
        found.append(
            f"{len(few)} of {len(tested.skill)} parts have fewer than {least} blocks: too few for "
            "an interval that can be trusted."
        )
    return found


def _known(report: TrainingReport, of: Knowable) -> Iterator[str]:
    ours, rate = chosen(report), estimate(report.tested.base_rate)
    for name, share, reached, best, above in (
        ("log R²", of.log_r2_share, ours.log_r2, of.log_r2, ""),
        ("PR-AUC", of.pr_auc_share, _ranked(ours), of.pr_auc, f" above the base rate of {rate}"),
    ):
        smoother = "a smoother that sees what comes before and after each minute has"
        if share is not None:
            yield (
                f"The choices have {interval(share, 0, share=True)} of the {name} that can be "
                f"known{above}: {estimate(reached)}, where {smoother} {interval(best)}."
            )
        elif reached is not None:
            of_smoother = f"{smoother} {name} {interval(best)}"
            yield f"Too little can be known to take a share of it: {of_smoother}."
    yield (
        f"Who knew each minute's own volatility would have log R² {estimate(of.own_log_r2)} and "
        f"PR-AUC {estimate(of.own_pr_auc)}: the rest is chance in the label. In {of.still:.1%} of "
        "the rows nothing moves in the minute that follows."
    )


def _ranked(row: ScoreRow) -> Interval:
    """The better of both rankings."""
    return max(filter(None, (row.pr_auc, row.pr_auc_by_ratio)), key=lambda of: of.estimate)


def _overall(row: SkillRow, reference: str) -> Iterator[str]:
    better = row.better_than_reference
    others = [name for name in better if name != CHOSEN]
    if not better:
        yield f"On all tested rows nothing has a log loss surely below that of {reference}."
    elif CHOSEN not in better:
        yield (
            f"On all tested rows the choices have no log loss surely below that of {reference}; "
            f"{_named(others)} {'has' if len(others) == 1 else 'have'}."
        )
    else:
        yield f"On all tested rows the choices have a log loss surely below that of {reference}."
    for name, paired, down in (
        ("log loss", row.log_loss, True),
        ("PR-AUC", row.pr_auc, False),
        ("log R²", row.log_r2, False),
    ):
        if paired is None:
            continue
        of = paired.difference
        low, high = (-of.high, -of.low) if down else (of.low, of.high)
        verdict = "surely better" if low > 0 else "surely worse" if high < 0 else "undecided"
        if not (low or high):
            verdict = "the choices are that baseline"
        yield (
            f"Against {paired.baseline}, the best baseline by {name}, the difference is "
            f"{interval(of, 4, signed=True)}: {verdict}."
        )


def _listed(what: str, rows: Sequence[SkillRow]) -> Iterator[str]:
    texts = [
        f"{kind} {_named([row.name for row in rows if row.by == by])}"
        for by, kind in _KINDS.items()
        if any(row.by == by for row in rows)
    ]
    if texts:
        yield f"{what}: {'; '.join(texts)}."


def _named(names: Sequence[str]) -> str:
    left = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {left} more" if left > 0 else "")
