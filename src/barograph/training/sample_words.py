"""The sentences that say what was kept of a dataset with more rows than a training may have."""

from barograph.cases.sampled import SampleFacts
from barograph.times import minute_of
from barograph.training.report import TrainingReport
from barograph.types import NS_PER_S


def sample_of(report: TrainingReport) -> SampleFacts | None:
    """What was kept of the history of a training; None where all rows were there."""
    return report.data.sample if isinstance(report.data.sample, SampleFacts) else None


def short(facts: SampleFacts) -> str:
    """What was kept, in a line."""
    kept = facts.complete_rows + facts.history_kept
    episodes = f"{facts.episodes - facts.episodes_between:,} of {facts.episodes:,}"
    return f"sampled: {kept:,} of {facts.rows:,} rows, with {episodes} older episodes"


def sentences(facts: SampleFacts) -> list[str]:
    """Which rows are complete, what was kept of the others, and what makes up for the rest."""
    return [_complete(facts), _history(facts), _episodes(facts)]


def _complete(facts: SampleFacts) -> str:
    since = minute_of(facts.complete_from_s * NS_PER_S)
    return (
        f"The dataset has {facts.rows:,} rows, more than the {facts.max_rows:,} of --max-rows. The "
        f"{facts.complete_rows:,} from {since} UTC on are complete: they alone are tested, held "
        "out, and what drift is measured against."
    )


def _history(facts: SampleFacts) -> str:
    quiet, of_quiet = facts.history_kept - facts.episode_rows, facts.on_stride - facts.episode_rows
    share = "all" if facts.one_in == 1 else f"one in {facts.one_in:,}"
    return (
        f"The {facts.history_rows:,} older rows are only fitted on. One in {facts.spacing} of them "
        f"is on the stride: all {facts.episode_rows:,} of an episode were kept, and {quiet:,} of "
        f"the {of_quiet:,} others, {share}. Weights make up for those that were not."
    )


def _episodes(facts: SampleFacts) -> str:
    kept = facts.episodes - facts.episodes_between
    if not facts.episodes_between:
        return f"All {kept:,} episodes of the older rows are among them."
    return (
        f"{kept:,} of {facts.episodes:,} episodes of the older rows are among them; the others lie "
        "between two rows of the stride."
    )
