"""What an extract of candles did, for a summary."""

import msgspec

from barograph.candle_records import CandleCheck
from barograph.evaluation.quality_report import QualityReport


class RevisedHour(msgspec.Struct, frozen=True, kw_only=True):
    """An hour of which its source says something else now: its new version, and what changed."""

    start_s: int
    version: int
    changed: str


class Extracted(msgspec.Struct, kw_only=True):
    """What an extract did for one product up to `until_s`, the end of the last hour it wanted.

    Of the `hours` that were wanted `there` were in the log. `new` ones went into it: `late` of them
    behind newer ones that were there, `empty` of them without a trade. `revised` counts new
    versions, `first_revised` names some. `kept` hours differ from another source's that are there
    and stay. `own` of the candles that went into the log are of hours that our own ticks made, too;
    `differing` of them differ, and `first_differing` names some. `bad` rows broke a rule of the
    gate and were left out; `missing` hours are still not there. `requests` were sent, `failures` of
    them of no use, by reason; `reused` answers were kept by an earlier run. `held` hours were only
    brought here, for a later run to judge and write. `left_out` counts what else was in the
    answers, by kind. `report` is the gate's, which `passed` or stopped everything; `stopped`: the
    run was told to end early.
    """

    source: str
    product: str
    until_s: int
    form: str = ""
    hours: int = 0
    there: int = 0
    new: int = 0
    late: int = 0
    empty: int = 0
    revised: int = 0
    first_revised: list[RevisedHour] = []
    kept: int = 0
    own: int = 0
    differing: int = 0
    first_differing: list[CandleCheck] = []
    bad: int = 0
    missing: int = 0
    requests: int = 0
    reused: int = 0
    held: int = 0
    failures: dict[str, int] = {}
    left_out: dict[str, int] = {}
    passed: bool = True
    stopped: bool = False
    report: QualityReport | None = None
