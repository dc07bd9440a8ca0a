"""The gate between a candidate and the champion's place: intervals in, a decision in words out."""

import math

import msgspec

from barograph.errors import BadInputError
from barograph.types import Interval


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate must show.

    `min_episodes` independent positives in the test rows, and `min_blocks` that the bootstrap draws
    from: with fewer, intervals are too narrow (of 8 markets with nothing to predict and 14 blocks
    each, 2 were promoted; of 20 with 43 blocks, none).
    `champion_margin` is how much PR-AUC below the champion is still "not worse". `level` is the
    least level of every interval, `max_undefined` the largest share of resamples without a score.
    """

    min_episodes: int = 20
    min_blocks: int = 20
    champion_margin: float = 0.02
    level: float = 0.95
    max_undefined: float = 0.05


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on the pooled walk-forward test rows, as paired differences.

    Each is candidate minus another on the same block resamples: PR-AUC minus the base rate, minus
    the reference's (the candidate of that name), minus the present champion's (None without one),
    and log loss minus the reference's, where less is better. The champion must not have been fitted
    on these rows.
    """

    reference: str
    episodes: int
    over_base_rate: Interval
    over_reference: Interval
    log_loss_over_reference: Interval
    over_champion: Interval | None = None
    blocks: int | None = None


class Decision(msgspec.Struct, frozen=True):
    """Whether to promote, with a sentence for every rule that decided it: those broken, or all."""

    promote: bool
    reasons: tuple[str, ...]


def decide(evidence: Evidence, gate: Gate | None = None) -> Decision:
    """Promote a candidate only when every rule holds, each with its whole interval:

    enough independent positives and blocks; PR-AUC surely above the base rate and above the
    reference's; log loss not surely worse than the reference's; PR-AUC not more than the margin
    below a present champion's. A bound that is NaN holds nothing. Raises BadInputError for
    intervals below the gate's level.
    """  # noqa: D415 - the list is the sentence
    gate = gate or Gate()
    base, reference = evidence.over_base_rate, evidence.over_reference
    loss, champion = evidence.log_loss_over_reference, evidence.over_champion
    rules = [
        (
            evidence.episodes >= gate.min_episodes,
            f"{evidence.episodes} independent positives tested, {gate.min_episodes} are needed",
        ),
        (
            _sound(base, gate) and base.low > 0,
            f"PR-AUC minus base rate {_words(base)} must lie above 0",
        ),
        (
            _sound(reference, gate) and reference.low > 0,
            f"PR-AUC minus {evidence.reference}'s {_words(reference)} must lie above 0",
        ),
        (
            _sound(loss, gate) and loss.low <= 0,
            f"log loss minus {evidence.reference}'s {_words(loss)} must not lie above 0",
        ),
    ]
    if evidence.blocks is not None:
        rules.append(
            (
                evidence.blocks >= gate.min_blocks,
                f"{evidence.blocks} blocks tested, {gate.min_blocks} are needed",
            )
        )
    if champion is not None:
        margin = -gate.champion_margin
        rules.append(
            (
                _sound(champion, gate) and champion.low >= margin,
                f"PR-AUC minus the champion's {_words(champion)} must not reach below {margin:g}",
            )
        )
    broken = tuple(sentence for holds, sentence in rules if not holds)
    return Decision(not broken, broken or tuple(sentence for _, sentence in rules))


def _sound(interval: Interval, gate: Gate) -> bool:
    if interval.level < gate.level:
        raise BadInputError(
            "promotion",
            f"an interval at level {interval.level:g}",
            f"Give intervals at {gate.level:g} or more",
        )
    return interval.undefined <= gate.max_undefined * interval.resamples


def _words(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "(not defined: the test rows are all of one kind)"
    text = f"{interval.estimate:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
    if interval.undefined:
        text += f" ({interval.undefined} of {interval.resamples} resamples undefined)"
    return text
