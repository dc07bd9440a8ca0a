"""Versions in the registry's list: aliases, and the facts as text."""

from collections.abc import Iterator, Sequence

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import RegistryError
from barograph.registry.model import ModelFacts, sha256_of

HELD_OUT = "held_out_log_loss"
"""The score of a trial's run in MLflow, one step for each fold."""


def list_cure(case: str) -> str:
    """The command that shows which versions of a case there are, as a cure."""
    return f"List the versions with `barograph models list --case {case}`"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version in the registry's list; `tags` hold the facts as text.

    `source` is where a server keeps its files; empty of a version under a home.
    """

    version: int
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]
    source: str = ""

    def time_ns(self, fact: str) -> int | None:
        """A time among the facts in Unix nanoseconds, or None. Raises RegistryError if damaged."""
        try:
            return msgspec.json.decode(self.tags.get(fact, "null"), type=int | None)
        except UNREADABLE as error:
            why = f"its tag {fact} is damaged ({error})"
            raise RegistryError(str(self.version), why, list_cure("…")) from error


def without_alias(case: str, alias: str, versions: Sequence[Version]) -> RegistryError:
    """The error where no version of a case has an alias: promote the newest, or train a first."""
    if not versions:
        cure = f"Train one (`barograph train --case {case}`), and promote it unless the gate does"
        return RegistryError(f"{case}/{alias}", "no version has this alias", cure)
    newest = versions[-1].version
    return RegistryError(
        f"{case}/{alias}",
        f"no version has this alias, and the newest, {newest}, was not promoted",
        f"See what it is (`barograph models show {newest} --case {case}`), and promote it "
        f"(`barograph models promote {newest} --case {case}`) or train again",
    )


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Hyperparameters tried for a candidate, and its log loss on each fold's held-out rows.

    The first trial of each candidate has the hyperparameters of the case.
    """

    candidate: str
    parameters: dict[str, float]
    selection: list[float]


def tags_of(facts: ModelFacts, facts_json: bytes) -> dict[str, str]:
    """The facts as text, with the hashes of the graph and of `facts_json`, the stored facts."""
    fields = msgspec.to_builtins(facts)
    del fields["sha256"], fields["scores"], fields["level"]
    text = {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in fields.items()
    }
    return text | {"onnx_sha256": facts.sha256, "facts_sha256": sha256_of(facts_json)}


def figures_of(facts: ModelFacts) -> Iterator[tuple[str, float]]:
    """Yield every defined score of the facts as ("group.score", value)."""
    for group, figures in facts.scores.items():
        for name, value in figures.items():
            if value is not None:
                yield f"{group}.{name}", value
