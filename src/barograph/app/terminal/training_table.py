"""Terminal output of a training, 80 columns wide."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph.app.terminal.terminal import plain_table
from barograph.figures import estimate, figure, interval
from barograph.times import time_of
from barograph.training import sample_words, skill_words
from barograph.training.report import TrainingReport

_TENTHS = ("_s", "_per_hour")
"""Units shown to one decimal; shares have two."""


def training(report: TrainingReport) -> RenderableType:
    """Scores of all candidates, differences to the baselines, sessions, and the gate's decision."""
    tested = report.tested
    level = f"{tested.base_rate.level:.0%}"
    table = plain_table(
        f"{report.case}, {tested.split}: {tested.rows:,} test rows of {len(tested.folds)} "
        f"folds,\n{tested.episodes:,} independent positives, base rate "
        + estimate(tested.base_rate),
        ("model", f"PR-AUC [{level}]", "v/τ", "Brier", "logloss", "ECE", "logR²", "QLIKE"),
    )
    for row in tested.scores:
        table.add_row(
            row.name,
            interval(row.pr_auc, 2),
            estimate(row.pr_auc_by_ratio, 2),
            estimate(row.brier, 4),
            estimate(row.log_loss),
            estimate(row.calibration_error),
            estimate(row.log_r2),
            estimate(row.qlike, 1),
            style=_style(report, row.name),
        )
    version = f"{report.case}/{report.model.version} ({report.model.chosen})"
    promoted = report.gate.decision.promote and report.settings.promote
    verdict = Text(
        f"{version} is {'champion' if promoted else 'registered as candidate, not promoted'}:",
        style="bold green" if promoted else "bold yellow",
    )
    reasons = [Text(f"  · {reason}") for reason in report.gate.decision.reasons]
    left_out = [
        Text(f"  left out {name}: {why.removeprefix(f'{name}: ')}", style="dim")
        for name, why in {
            **tested.keys_left_out, **tested.candidates_left_out,
            **report.data.features_left_out,
        }.items()
    ]  # fmt: skip
    sample = sample_words.sample_of(report)
    kept = [] if sample is None else sample_words.sentences(sample)
    return Group(
        table,
        *_levels(report),
        _acting(report),
        _versus(report),
        *_versus_levels(report),
        _sessions(report),
        *_skill(report),
        *_control(report),
        *(Text(sentence) for sentence in kept),
        verdict,
        *reasons,
        *left_out,
    )


def _style(report: TrainingReport, name: str) -> str:
    if name == report.tested.scores[-1].name:
        return "bold"
    return "" if name in {row.name for row in report.tested.scores if row.eligible} else "dim"


def _levels(report: TrainingReport) -> list[Table]:
    """Scores of the value's forecasts, where the case has a level."""
    rows = [(row.name, row.level) for row in report.tested.scores if row.level is not None]
    if not rows:
        return []
    coverage = f"covers [{rows[0][1].coverage.level:.0%}]"
    heads = ("model", "RMSE", "MAE", "R²", "MAPE", "pinball", coverage, "high/low")
    table = plain_table(
        "the value itself: RMSE and R² of the mean, MAE and MAPE of the median;\n"
        "above logR² of the median and QLIKE of the root mean square",
        heads,
    )
    for name, level in rows:
        table.add_row(
            name,
            *(f"{of.estimate:.3g}" for of in (level.rmse, level.mae)),
            estimate(level.r2, 2),
            estimate(level.mape, 2),
            f"{level.pinball.estimate:.3g}",
            interval(level.coverage, 1, share=True),
            figure(level.width, 1),
            style=_style(report, name),
        )
    chosen = rows[-1][1]
    parts = plain_table("coverage of the last row", ("of", "share"))
    for year, share in chosen.coverage_by_year.items():
        parts.add_row(year, f"{share:.1%}")
    for slot, share in enumerate(chosen.coverage_by_slot, 1):
        parts.add_row(f"part {slot} of {len(chosen.coverage_by_slot)} of the day", f"{share:.1%}")
    for regime, share in enumerate(chosen.coverage_by_regime, 1):
        of = len(chosen.coverage_by_regime)
        parts.add_row(f"part {regime} of {of} of the forecasts, lowest first", f"{share:.1%}")
    return [table, parts]


def _acting(report: TrainingReport) -> Table:
    names = sorted({name for row in report.tested.scores for name in row.acting})
    heads = [name.replace("_alarms_per_hour", "/h").replace("_", " ") for name in names]
    acting = plain_table("alarms at each model's threshold", ("model", *heads))
    for row in report.tested.scores:
        figures = [
            figure(row.acting.get(name), 1 if name.endswith(_TENTHS) else 2) for name in names
        ]
        acting.add_row(row.name, *figures, style=_style(report, row.name))
    return acting


def _versus(report: TrainingReport) -> Table:
    versus = plain_table(
        "minus a baseline, on the same block resamples; PR-AUC by the better ranking",
        ("model", "minus", "PR-AUC", "logloss"),
    )
    for difference in report.tested.differences:
        versus.add_row(
            difference.name,
            difference.minus,
            interval(difference.pr_auc, 2, signed=True),
            interval(difference.log_loss, 3, signed=True),
            style=_style(report, difference.name),
        )
    return versus


def _versus_levels(report: TrainingReport) -> list[Table]:
    """Differences of QLIKE, where the case has a level."""
    table = plain_table(
        "minus a baseline: QLIKE, and Diebold–Mariano's statistic and p-value of it",
        ("model", "minus", "QLIKE", "DM", "p"),
    )
    for difference in report.tested.differences:
        if difference.qlike is not None and (test := difference.diebold_mariano) is not None:
            table.add_row(
                difference.name,
                difference.minus,
                interval(difference.qlike, 3, signed=True),
                figure(test.statistic, 1),
                f"{test.p_value:.2g}",
                style=_style(report, difference.name),
            )
    return [table] if table.row_count else []


def _sessions(report: TrainingReport) -> Table:
    chosen = report.tested.scores[-1].name
    table = plain_table(
        f"scores by session: {chosen}, and {report.tested.reference}",
        ("from", "rows", "base rate", "episodes", "PR-AUC", "", "logloss", ""),
    )
    for session in report.tested.sessions:
        table.add_row(
            time_of(session.start_ns) if session.start_ns else "all",
            f"{session.rows:,}",
            figure(session.base_rate, 2),
            str(session.events),
            *(
                figure(scores[name], 3)
                for scores in (session.pr_auc, session.log_loss)
                for name in (chosen, report.tested.reference)
            ),
        )
    return table


def _skill(report: TrainingReport) -> list[Table | Text]:
    """The choices beside the best baseline, by key and by regime, and the sentences of the card."""
    rows = [row for row in report.tested.skill if row.by in ("all", "key", "regime")]
    if not rows:
        return []
    table = plain_table(
        f"{report.tested.scores[-1].name} minus the best baseline to beat, by part of the test",
        ("part", "rows", "base", "PR-AUC", "logloss"),
    )
    for row in rows:
        of = (row.pr_auc, row.log_loss)
        table.add_row(
            row.name,
            f"{row.rows:,}",
            figure(row.base_rate, 2),
            *(interval(each.difference if each else None, 2, signed=True) for each in of),
        )
    return [table, *(Text(f"  · {sentence}") for sentence in skill_words.sentences(report))]


def _control(report: TrainingReport) -> list[Text]:
    control = report.control
    if control is None:
        return []
    return [
        Text(
            f"no-signal control: {control.candidate} has PR-AUC "
            f"{interval(control.pr_auc)} at base rate {estimate(control.base_rate)}\n"
        )
    ]
