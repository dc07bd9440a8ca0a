"""What a comparison says, in words and cells that its page and its Markdown share."""

from collections.abc import Iterator

from barograph.figures import bounds, figure, interval
from barograph.times import minute_of
from barograph.training.comparison import Comparison, ScorePair

_PLACES = 4
_KINDS = ("data", "code", "model", "training")
_VERDICTS = {
    "better": "is better than",
    "not worse": "is not worse than",
    "refused": "is refused beside",
}


def headline(comparison: Comparison) -> str:
    """The verdict as a sentence without a full stop."""
    word = _VERDICTS[comparison.verdict]
    return f"Candidate {comparison.candidate} {word} champion {comparison.champion}"


def about(comparison: Comparison) -> str:
    """On what both were compared."""
    when = ""
    if comparison.end_ns:
        when = f" of {minute_of(comparison.start_ns)} to {minute_of(comparison.end_ns)} UTC"
    return (
        f"On {comparison.rows:,} rows{when} that neither was fitted on: {comparison.events:,} "
        f"independent positives, base rate {figure(comparison.base_rate)}, "
        f"{comparison.blocks:,} bootstrap blocks. Both are scored on the same resamples, so that "
        "their differences are paired."
    )


def cells_of(pair: ScorePair) -> tuple[str, str, str, str]:
    """A row of the table of scores."""
    name = f"{pair.name} {'↑' if pair.higher_is_better else '↓'}"
    difference = pair.difference
    signed = (
        f"{figure(difference.estimate, _PLACES, signed=True)} "
        f"{bounds(difference, _PLACES, signed=True)}"
    )
    return name, interval(pair.champion, _PLACES), interval(pair.candidate, _PLACES), signed


def change_cells(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """A row for each thing that differs between the two trainings."""
    for change in comparison.changes:
        yield change.of, change.name, change.champion or "none", change.candidate or "none"


def unchanged(comparison: Comparison) -> str:
    """What does not differ, as a sentence."""
    changed = {change.of for change in comparison.changes}
    same = [kind for kind in _KINDS if kind not in changed]
    return f"The same in both: {', '.join(same)}." if same else "Nothing is the same in both."
