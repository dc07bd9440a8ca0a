"""The promotion history of a case: which version became champion when and why."""

from collections.abc import Sequence
from typing import Literal

import msgspec


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the history: `version` replaced `previous` as champion, with the reason."""

    time_ns: int
    action: Literal["promote", "rollback"]
    version: int
    previous: int | None
    reason: str


class NotPromoted(msgspec.Struct, frozen=True, kw_only=True):
    """A version that its gate refused, with the gate's reasons; `champion` stays, None without."""

    version: int
    champion: int | None
    reason: str


def former(history: Sequence[Promotion], champion: int | None) -> int | None:
    """The champion before `champion` by the history (oldest entry first); None if there was none.

    Promotions form a stack; a rollback pops everything above the version that it restores.
    """
    pile: list[int] = []
    for entry in history:
        if entry.action == "promote":
            pile.append(entry.version)
        while entry.action == "rollback" and pile and pile[-1] != entry.version:
            pile.pop()
    while pile and pile[-1] == champion:
        pile.pop()
    return pile[-1] if pile else None
