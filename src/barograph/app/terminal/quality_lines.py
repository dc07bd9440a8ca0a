"""Terminal output of the quality gate and of extracts: counts, and which rows are bad and why."""

from collections.abc import Iterator

from barograph.evaluation.candle_checks import in_words
from barograph.evaluation.quality_report import QualityReport
from barograph.feed.extracted import Extracted
from barograph.foreign import one_line
from barograph.times import minute_of
from barograph.types import NS_PER_S

_ROWS = 3


def quality(report: QualityReport, page: str) -> str:
    """Lines that say whether candles passed, which rules are broken by which rows, and the page."""
    return _text([f"form: {report.form}", *_of_gate(report), f"report: {page}"])


def extracted(done: Extracted, page: str) -> str:
    """Lines about what an extract wrote and left out, with the gate's words where it has some."""
    lines = [
        f"{done.product} from {done.source}: {done.new:,} new hours, {done.there:,} were there"
    ]
    if done.form:
        lines.append(f"form: {done.form}")
    for count, words in (
        (done.empty, "of the new hours had no trade"),
        (done.late, "lie behind newer ones that were there: no rows are made of them"),
        (done.missing, "hours are missing"),
        (done.kept, "hours differ from another source's, which stay"),
        (done.reused, "answers were kept from an earlier run"),
        (done.held, "hours are held for a later run, which judges and writes them"),
    ):
        if count:
            lines.append(f"{count:,} {words}")
    lines += _requests(done)
    for each in done.first_revised:
        hour = _hour(each.start_s)
        lines.append(f"! revised: {hour} is version {each.version} now ({each.changed})")
    if done.revised > len(done.first_revised):
        lines.append(f"! {done.revised:,} hours were revised in all")
    lines += _of_own_ticks(done)
    if done.report is not None and done.report.broken:
        lines += _of_gate(done.report)
    if done.stopped:
        lines.append("stopped: run the same command to go on")
    if page:
        lines.append(f"report: {page}")
    return _text(lines)


def _of_own_ticks(done: Extracted) -> Iterator[str]:
    if done.own:
        same = f"{done.own - done.differing:,} of {done.own:,}"
        yield f"{same} hours that our own ticks made are the same in {done.source}"
    for each in done.first_differing:
        yield f"! differs: {in_words(each)}"
    if done.differing > len(done.first_differing):
        yield f"! {done.differing:,} hours differ in all"


def _requests(done: Extracted) -> Iterator[str]:
    if done.requests:
        failed = sum(done.failures.values())
        again = f", {failed:,} of them of no use" if failed else ""
        yield f"{done.requests:,} requests{again}"
    for why, count in done.failures.items():
        yield f"  {count:,} × {why}"
    for what, count in done.left_out.items():
        yield f"{what}: {count:,}"


def _of_gate(report: QualityReport) -> Iterator[str]:
    span = f", {_hour(report.first_s)} to {_hour(report.last_s)}" if report.first_s else ""
    if report.passed:
        yield f"✓ {report.good:,} of {report.rows:,} candles are good{span}"
    else:
        yield f"✗ stopped, nothing is used: {report.rows:,} candles{span}"
    for rule in report.broken:
        counted = f": {rule.failed:,}, allowed {rule.allowed:,}" if rule.of > 1 else ""
        yield f"{'✗' if rule.stops else '!'} not so: {rule.meaning}{counted}"
        for row in rule.first[:_ROWS]:
            yield f"    line {row.line:,}, {_hour(row.start_s)}: {row.values}"


def _hour(start_s: int | None) -> str:
    return "no time" if start_s is None else f"{minute_of(start_s * NS_PER_S)}Z"


def _text(lines: list[str]) -> str:
    return "\n".join(map(one_line, lines))
