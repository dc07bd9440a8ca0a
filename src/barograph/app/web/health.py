"""GET /health: is the server alive, and is each case that runs fit to be used?"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from barograph.app.web.boards import Board
from barograph.app.web.model_watch import Standing
from barograph.app.web.series_board import SeriesBoard
from barograph.log import Log
from barograph.log.topics import STATUS, TICKS
from barograph.pipeline.health import (
    MAX_AGE_S,
    Health,
    Heard,
    health_of,
    newest_statuses,
    no_probability,
    waits,
)
from barograph.pipeline.record_scorer import scorer_group
from barograph.pipeline.stages import groups_at_work
from barograph.types import HOUR_NS, NS_PER_S


class CaseHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `live`: its stages keep up with what is written for them.

    `ready`: nothing is in `problems`; `remarks` do not count. `data_age_s` is that of the newest
    record of the source, `lag` how many records each group has still to read, `gaps` how many were
    recorded in the last hour, `model_age_s` since the champion's promotion.
    """

    live: bool
    ready: bool
    problems: list[str]
    remarks: list[str]
    data_age_s: float | None
    lag: dict[str, int]
    gaps: int
    model: str | None
    model_age_s: float | None


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`live`: the server answers. `ready`: no case has a problem.

    `reason` is the first problem of the worst case, empty where it is ready. `problems` are those
    of all cases, the worst case first, each with the name of its case but for the default. `cases`
    has the default case and each other one whose stages have ever read; the other fields are those
    of the default case.
    """

    live: bool
    ready: bool
    reason: str
    problems: list[str]
    remarks: list[str]
    data_age_s: float | None
    lag: dict[str, int]
    gaps: int
    model: str | None
    model_age_s: float | None
    cases: dict[str, CaseHealth]


class SeenCase(NamedTuple):
    """What the board and the registry say of a case at one moment.

    heard: what came of the source. verdicts: the newest ones. problem: why the registry cannot be
    read; empty where it can. remark: why what is known of it is not of now; empty where it is.
    """

    board: Board
    heard: Heard
    gaps: int
    verdicts: Sequence[str]
    model: str | None
    model_age_s: float | None
    problem: str
    remark: str


class Judgement(NamedTuple):
    """What speaks against a case, and its lag by group. behind: a stage does not keep up."""

    problems: list[str]
    remarks: list[str]
    lag: dict[str, int]
    behind: bool


def seen_of(board: Board, standing: Standing, now_ns: int) -> SeenCase:
    """What a board knows; on the event loop."""
    products, gaps = None, 0
    if isinstance(board, SeriesBoard):
        products = {key: (now_ns - at) / NS_PER_S for key, at in board.heard_ns.items()}
        gaps = gaps_lately(board, now_ns)
    return SeenCase(
        board=board,
        heard=Heard(now_ns, board.newest_receipt_ns, None, products or None),
        gaps=gaps,
        verdicts=board.newest_verdicts(),
        model=board.model.label,
        model_age_s=_age_s(now_ns, standing.since_ns),
        problem=standing.problem,
        remark=standing.remark,
    )


def gaps_lately(board: SeriesBoard, now_ns: int) -> int:
    """How many gaps of the last hour were recorded."""
    return sum(gap.span.end_ns >= now_ns - HOUR_NS for gap in board.gaps)


def judged(log: Log, seen: Sequence[SeenCase], default: str) -> dict[str, CaseHealth]:
    """The parts of the default case and of each other of which a stage has ever read.

    Reads the log, and raises its errors.
    """
    judgements = [(each, judgement_of(log, each)) for each in seen]
    return {
        each.board.name: _part(each, judgement or Judgement([], [], {}, behind=False))
        for each, judgement in judgements
        if judgement is not None or each.board.name == default
    }


def unjudged(seen: Sequence[SeenCase], problems: list[str], default: str) -> dict[str, CaseHealth]:
    """The parts while the log cannot be read: of the default case and those with predictions.

    problems: why it cannot.
    """
    return {
        each.board.name: _part(each, Judgement(problems, [], {}, behind=True))
        for each in seen
        if each.verdicts or each.board.name == default
    }


def judgement_of(log: Log, seen: SeenCase) -> Judgement | None:
    """Judge a case by its log; None for one of which no stage has ever read.

    The market is judged as by `check`: by the age of all that a live feed writes. Another case, as
    of another horizon on the market's rows, has no feed of its own that says when news is due, so
    only what waits for its stages counts, and its model.
    """
    topics = {topic.name for topic in log.topics()}
    board = seen.board
    if isinstance(board, SeriesBoard):
        groups = groups_at_work(log, board.live, topics)
    else:
        source, group = board.source, scorer_group(board.name)
        is_read = source in topics and log.positions(group, source)
        groups = {group: source} if is_read else {}
    lag = {group: _lag(log, group, topic) for group, topic in groups.items()}
    if isinstance(board, SeriesBoard) and board.makes_market_rows:
        health = _of_market(log, seen, groups, topics)
        late = any(wait_s > (health.max_age_s or 0.0) for wait_s in health.behind_s.values())
        return Judgement([*health.problems], [*health.remarks], lag, late)
    if not groups:
        return None
    _, problems = waits(log, groups, seen.heard.now_ns, MAX_AGE_S)
    missing = no_probability(seen.verdicts, seen.model)
    return Judgement(problems + ([missing] if missing else []), [], lag, bool(problems))


def _of_market(log: Log, seen: SeenCase, groups: dict[str, str], topics: set[str]) -> Health:
    if TICKS not in topics:
        return Health()
    statuses = newest_statuses(log) if STATUS in topics else []
    return health_of(
        log,
        seen.heard,
        statuses=statuses,
        groups=groups,
        max_age_s=None,
        champion=lambda: seen.model,
    )


def _part(seen: SeenCase, judgement: Judgement) -> CaseHealth:
    problems = [*judgement.problems, *([seen.problem] if seen.problem else [])]
    return CaseHealth(
        live=not judgement.behind,
        ready=not problems,
        problems=list(dict.fromkeys(problems)),
        remarks=[*judgement.remarks, *([seen.remark] if seen.remark else [])],
        data_age_s=_age_s(seen.heard.now_ns, seen.heard.newest_ns),
        lag=judgement.lag,
        gaps=seen.gaps,
        model=seen.model,
        model_age_s=seen.model_age_s,
    )


def answer_of(cases: dict[str, CaseHealth], default: str) -> HealthAnswer:
    """The health of all cases. cases: by name, the default among them."""
    worst_first = sorted(cases, key=lambda name: (cases[name].live, name != default))
    problems = [
        problem if name == default else f"{name}: {problem}"
        for name in worst_first
        for problem in cases[name].problems
    ]
    own = cases[default]
    return HealthAnswer(
        live=True,
        ready=not problems,
        reason=problems[0] if problems else "",
        problems=problems,
        remarks=own.remarks,
        data_age_s=own.data_age_s,
        lag=own.lag,
        gaps=own.gaps,
        model=own.model,
        model_age_s=own.model_age_s,
        cases=cases,
    )


def _age_s(now_ns: int, time_ns: int | None) -> float | None:
    return None if time_ns is None else round((now_ns - time_ns) / NS_PER_S, 3)


def _lag(log: Log, group: str, topic: str) -> int:
    done = log.positions(group, topic)
    return sum(
        max(0, extent.next - max(done.get(extent.partition, 0), extent.oldest))
        for extent in log.extents(topic)
    )
