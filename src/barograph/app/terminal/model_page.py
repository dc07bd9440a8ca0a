"""Terminal output of one model: facts, tested scores and live scores."""

from collections.abc import Iterator, Mapping
from math import isnan, nan
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph.app.terminal.terminal import counts_of, plain, plain_table
from barograph.figures import estimate, figure, interval
from barograph.times import time_of
from barograph.types import NS_PER_S, Interval

if TYPE_CHECKING:
    from barograph.evaluation.matured import LiveScores, Paired
    from barograph.pipeline.live_scores import LiveReport
    from barograph.registry.model import ModelFacts

_HEADS = ("base rate", "PR-AUC", "ROC-AUC", "Brier", "logloss", "ECE")


def page(
    label: str,
    aliases: tuple[str, ...],
    facts: "ModelFacts",
    live: "LiveReport | None",
    *,
    feature_set: str,
) -> Group:
    """Facts and tested scores, and the live scores if `live` is given.

    feature_set: that of this program; a model of another one is shown as not usable.
    """
    standing = " and ".join(aliases) or "neither champion nor candidate"
    parts: list[RenderableType] = [Text(f"{label} ({facts.candidate}), {standing}", style="bold")]
    if facts.feature_set != feature_set:
        parts.append(
            Text(
                f"not usable: made with feature set {facts.feature_set}, this program computes "
                f"{feature_set}; train again (`barograph dataset --case {facts.case} && "
                f"barograph train --case {facts.case}`)",
                style="yellow",
            )
        )
    parts.append(_facts(facts))
    if facts.scores:
        parts.append(_tested(facts.scores))
        parts += _known(facts.scores)
    return Group(*parts, *(_live(live) if live is not None else ()))


def _facts(facts: "ModelFacts") -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("created", time_of(facts.created_time_ns))
    if facts.train_end_ns:
        table.add_row(
            "trained on", f"{time_of(facts.train_start_ns)} → {time_of(facts.train_end_ns)}"
        )
    if facts.expires_time_ns is not None:
        table.add_row("expires", time_of(facts.expires_time_ns))
    if facts.tau:
        table.add_row("tau", ", ".join(f"{key} {tau:.3g}" for key, tau in facts.tau.items()))
    table.add_row("threshold", figure(facts.threshold))
    table.add_row(f"{len(facts.features)} features", plain(", ".join(facts.features)))
    table.add_row("data", f"{facts.data_hash[:16]}, seed {facts.seed}")
    return table


def _tested(groups: Mapping[str, Mapping[str, float | None]]) -> Table:
    table = plain_table("scores on test rows", ("", *_HEADS))
    for name, figures in groups.items():
        known = {key: value for key, value in figures.items() if value is not None}
        table.add_row(
            plain(name),
            figure(known.get("base_rate", nan)),
            _bounded(known, "pr_auc"),
            figure(known.get("roc_auc", nan)),
            figure(known.get("brier", nan), 4),
            figure(known.get("log_loss", nan)),
            figure(known.get("calibration_error", nan)),
        )
    return table


def _known(groups: Mapping[str, Mapping[str, float | None]]) -> Iterator[Text]:
    """How much of what can be known a model knows, on a line, where it was estimated."""
    for name, figures in groups.items():
        if (share := figures.get("pr_auc_share")) is not None:
            best = figure(figures.get("knowable_pr_auc"))
            yield plain(
                f"{name}: {share:.0%} of the PR-AUC above the base rate that can be known ({best})"
            )


def _bounded(figures: Mapping[str, float], name: str) -> str:
    middle, low, high = (figures.get(f"{name}{end}", nan) for end in ("", "_low", "_high"))
    if isnan(low):
        return figure(middle)
    of = Interval(estimate=middle, low=low, high=high, level=nan, resamples=0, undefined=0)
    return interval(of, 2)


def _live(live: "LiveReport") -> Iterator[RenderableType]:
    by_role = {"champion": live.scored, "shadow": live.shadowed}
    known = {name: scores for name, scores in by_role.items() if scores is not None}
    if not known:
        yield Text("live: the log has no prediction of this model since its training")
    else:
        yield _fared(known)
    if live.paired is not None:
        yield _paired(live.paired)


def _fared(known: Mapping[str, "LiveScores"]) -> Group:
    table = plain_table(
        "live, matured predictions",
        ("", "rows", "base", "PR-AUC", "Brier", "ECE", "recall", "lead s", "false/h"),
    )
    lines = []
    for name, scores in known.items():
        table.add_row(
            name,
            f"{scores.rows:,}",
            estimate(scores.base_rate),
            interval(scores.pr_auc, 2),
            estimate(scores.brier, 4),
            figure(scores.calibration_error),
            figure(scores.recall, 2),
            figure(scores.lead_s, 0),
            figure(scores.false_alarms_per_hour, 1),
        )
        span = [time_of(at * NS_PER_S) for at in (scores.first_second, scores.last_second)]
        lines.append(
            f"as {name}: {span[0]} → {span[1]}, {scores.episodes:,} episodes; "
            f"{counts_of(scores.verdicts)}; {scores.immature:,} not matured"
        )
    return Group(table, *lines)


def _paired(paired: "Paired") -> str:
    alike = (
        f", without {paired.left_out:,} that are a spike by one tau only" if paired.left_out else ""
    )
    return (
        f"{paired.shadow} minus {paired.champion} on {paired.rows:,} rows of both{alike}:\n"
        f"  PR-AUC {interval(paired.pr_auc, signed=True)}, "
        f"logloss {interval(paired.log_loss, 4, signed=True)}"
    )
