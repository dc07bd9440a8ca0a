"""Terminal output of all models of a case: the list of versions and the promotion history."""

from collections.abc import Mapping, Sequence
from shlex import quote

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from barograph.app.terminal.terminal import plain
from barograph.errors import RegistryError
from barograph.figures import figure
from barograph.registry.audit import Promotion
from barograph.registry.registry import Registry
from barograph.registry.versions import Version
from barograph.times import minute_of, time_of
from barograph.training.walkforward import CHOSEN


class ListedVersion(Version, frozen=True, kw_only=True):
    """A version with the facts that decide whether it can be used.

    `expired`: whether its lifetime has passed. `scores` are the tested scores of its training's
    choices; `decision` is the gate's decision then. `fault` says why its facts cannot be read, or
    is empty.
    """

    created_time_ns: int | None = None
    train_end_ns: int | None = None
    expires_time_ns: int | None = None
    expired: bool = False
    scores: dict[str, float | None] = msgspec.field(default_factory=dict)
    decision: str = ""
    fault: str = ""


def listed(registry: Registry, case: str, now_ns: int) -> list[ListedVersion]:
    """All versions of a case, oldest first; `now_ns` (Unix time) decides what has expired."""
    return [_listed(registry, case, version, now_ns) for version in registry.versions(case)]


def _listed(registry: Registry, case: str, version: Version, now_ns: int) -> ListedVersion:
    fields = {name: getattr(version, name) for name in version.__struct_fields__}
    fields["decision"] = version.tags.get("decision", "")
    try:
        facts = registry.facts(case, version.version)
    except RegistryError as error:
        return ListedVersion(**fields, fault=str(error))
    return ListedVersion(
        **fields,
        created_time_ns=facts.created_time_ns,
        train_end_ns=facts.train_end_ns,
        expires_time_ns=facts.expires_time_ns,
        expired=facts.expired(now_ns),
        scores=facts.scores.get(CHOSEN, {}),
    )


def table(case: str, named: str, versions: Sequence[ListedVersion]) -> RenderableType:
    """A table of versions, 80 columns wide, with decisions and faults below it.

    named: how the case is named on the command line.
    """
    if not versions:
        return f"no version of {case} yet; train one (`barograph train --case {quote(named)}`)"
    known = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=f"models of {case}")
    known.title_justify = "left"
    for title in ("", "aliases", "candidate", "created", "trained to", "expires", "PR-AUC"):
        known.add_column(title, no_wrap=title != "candidate")
    notes = []
    for version in versions:
        known.add_row(
            str(version.version),
            "\n".join(version.aliases),
            plain(version.tags.get("candidate", "")),
            _moment(version.created_time_ns),
            _moment(version.train_end_ns),
            "EXPIRED" if version.expired else _moment(version.expires_time_ns),
            _pr_auc(version.scores),
        )
        if note := version.fault or version.decision:
            notes.append(plain(f"{version.version}  {note}"))
    return Group(known, *notes)


def audit(case: str, entries: Sequence[Promotion]) -> RenderableType:
    """One line for each promotion and rollback."""
    if not entries:
        return f"no version of {case} has been champion yet"
    return Group(*[plain(_entry(case, entry)) for entry in entries])


def _entry(case: str, entry: Promotion) -> str:
    place = f", replacing {case}/{entry.previous}" if entry.previous is not None else ""
    return f"{time_of(entry.time_ns)}  {entry.action} {case}/{entry.version}{place}: {entry.reason}"


def _moment(time_ns: int | None) -> str:
    """Date and minute on two lines, or a dash."""
    return minute_of(time_ns).replace(" ", "\n") if time_ns else "–"


def _pr_auc(scores: Mapping[str, float | None]) -> str:
    """PR-AUC over its base rate, on two lines."""
    of = [figure(scores.get(name), 2) for name in ("pr_auc", "base_rate")]
    return f"{of[0]}\nof {of[1]}"
