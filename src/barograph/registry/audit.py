"""The audit of a case's champions: who became it when and why, and who it was before."""

from collections.abc import Sequence
from typing import Literal

import msgspec


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit: `version` became champion in the place of `previous`, and why."""

    time_ns: int
    action: Literal["promote", "rollback"]
    version: int
    previous: int | None
    reason: str


def former(history: Sequence[Promotion], champion: int | None) -> int | None:
    """Who was champion before this one by the audit, oldest first; None where nobody was.

    Promotions are a pile, and a rollback takes from it what lies above the version it went back to.
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
