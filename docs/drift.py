"""Makes the tables of `docs/drift.md`, and `docs/drift.json` that they are made of.

    python docs/drift.py [--workers 2] [--nice 10] [--cache PLACE] [--pages]

How often drift tests alarm where nothing drifts, how soon where volatility doubles, and what they
find between real recordings. Choices were made on `CHOICE_SEEDS`; `REPORT_SEEDS` are others. What
is done is kept in the folder of `--cache`, so that a run that was stopped goes on where it was.
`--pages` only makes the tables of `docs/drift.json` again.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import groupby
from pathlib import Path

import msgspec
from drift_markets import DOUBLED_H, Plan, SeedResult, Tested, Variant, key_of, result_of
from drift_sessions import Compared, compared

from barograph.files.disk import write_whole

DOCS = Path(__file__).resolve().parent
RESULTS, PAGE = DOCS / "drift.json", DOCS / "drift.md"
CHOSEN = Variant(12, 40)
CHOICE = Plan(
    variants=(
        Variant(4, 40), Variant(6, 40), Variant(8, 40), Variant(12, 30), CHOSEN, Variant(12, 60),
        Variant(24, 40),
    ),
    calm_h=50,
)  # fmt: skip
CHOICE_SEEDS = range(1, 21)
REPORT = Plan(variants=(CHOSEN,), calm_h=84, usual_every_h=21)
REPORT_SEEDS = range(101, 131)
WEEK_H = 168
ANYWAY = "says nothing: it alarms anyway"


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the tables are made of."""

    choice: list[SeedResult]
    report: list[SeedResult]
    sessions: list[Compared]


def run(
    plans: Sequence[tuple[Plan, Sequence[int]]], workers: int, cache: Path
) -> list[list[SeedResult]]:
    """The results of the seeds of each plan, in order; progress goes to standard error."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = [(seed, plan) for plan, seeds in plans for seed in seeds]
    files = {pair: cache / f"{key_of(*pair)}.json" for pair in wanted}
    todo = [pair for pair in wanted if not files[pair].exists()]
    started_s = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        jobs = {pool.submit(result_of, *pair): pair for pair in todo}
        for done, job in enumerate(as_completed(jobs), 1):
            write_whole(files[jobs[job]], msgspec.json.encode(job.result()))
            print(
                f"{done} of {len(todo)} markets, {time.monotonic() - started_s:.0f} s",
                file=sys.stderr,
            )
    read = msgspec.json.Decoder(SeedResult).decode
    return [[read(files[seed, plan].read_bytes()) for seed in seeds] for plan, seeds in plans]


def tables(results: Results) -> Mapping[str, str]:
    """The tables by their name in the page."""
    return {
        "drift-report": report_table(results.report),
        "drift-choice": choice_table(results.choice),
        "drift-sessions": sessions_table(results.sessions),
    }


def report_table(results: Sequence[SeedResult]) -> str:
    """This test and the usual ones, on markets that no choice was made on."""
    mine = [one for result in results for one in result.tested]
    lines = [
        "| test | alarms while nothing changed | after volatility doubled |",
        "|---|---:|---:|",
        f"| **this test** | {rate(mine)} | {found([one.delay_min for one in mine])} |",
    ]
    every = [one for result in results for one in result.usual]
    for test in dict.fromkeys(one.test for one in every):
        some = [one for one in every if one.test == test]
        hours = sum(one.hours for one in some)
        share = sum(one.alarmed for one in some) / hours
        lines.append(
            f"| {test} | {share:.0%} of {hours:,} hours: {share * WEEK_H:.0f} hours a week | "
            f"{found([one.delay_min for one in some]) if share < 0.5 else ANYWAY} |"
        )
    return "\n".join(lines).replace("%", " %")


def choice_table(results: Sequence[SeedResult]) -> str:
    """How this test depends on the reference and the window, on the markets of the choice."""
    head = "| reference | window | alarms while nothing changed | after volatility doubled "
    lines = [
        f"{head}| columns tested | references too short |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    every = [one for result in results for one in result.tested]

    def variant(one: Tested) -> tuple[int, int]:
        return one.variant.reference_h, one.variant.window_min

    for (reference_h, window_min), of in groupby(sorted(every, key=variant), variant):
        some = list(of)
        bold = "**" if Variant(reference_h, window_min) == CHOSEN else ""
        columns = sum(one.columns for one in some) / sum(one.varying for one in some)
        lines.append(
            f"| {bold}{reference_h} h{bold} | {bold}{window_min} min{bold} | {rate(some)} | "
            f"{found([one.delay_min for one in some])} | {columns:.0%} | "
            f"{sum(one.too_short for one in some)} of {2 * len(some)} |"
        )
    return "\n".join(lines).replace("%", " %")


def sessions_table(results: Sequence[Compared]) -> str:
    """What this test and the usual ones say between real recordings."""
    head = "| product | reference | compared | columns tested | alarms | strongest test "
    lines = [
        f"{head}| KS p < 0.05 | PSI > 0.2 |",
        "|---|---|---|---:|---:|---|---:|---:|",
    ]
    for one in results:
        strongest = f"{one.strength:.2f} `{one.column}`" if one.column else "none"
        lines.append(
            f"| {one.product} | {one.reference}, {one.reference_h:.1f} h | "
            f"{one.compared}, {one.compared_h:.1f} h | {one.tested} of {one.varying} | "
            f"{one.alarms} | {strongest} | {one.ks} of {one.columns} | {one.psi} of {one.columns} |"
        )
    return "\n".join(lines)


def rate(tested: Sequence[Tested]) -> str:
    """Alarms a week, with the exact 95 % interval of a Poisson count (Garwood, 1936)."""
    from scipy import special  # noqa: PLC0415 - only here

    began, hours = sum(one.alarms for one in tested), sum(one.hours for one in tested)
    weeks = hours / WEEK_H
    low = float(special.gammaincinv(began, 0.025)) / weeks if began else 0.0
    high = float(special.gammaincinv(began + 1, 0.975)) / weeks
    return f"{began} in {hours:,.0f} h: {began / weeks:.2f} a week ({low:.2f} to {high:.2f})"


def found(delays: Sequence[float | None]) -> str:
    """Median and largest delay, and how often there was none within the doubled hours."""
    known = sorted(delay for delay in delays if delay is not None)
    missed = len(delays) - len(known)
    if not known:
        return f"never within {DOUBLED_H} h"
    word = f", not within {DOUBLED_H} h in {missed} of {len(delays)}" if missed else ""
    return f"median {known[len(known) // 2]:.0f} min, at most {known[-1]:.0f} min{word}"


def with_tables(text: str, made: Mapping[str, str]) -> str:
    """The page with these tables between their marks. Raises ValueError where one has no place."""
    for name, part in made.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise ValueError(f"the page has no place for {name}")
        text = f"{before}{begin}\n\n{part}\n\n{end}{after}"
    return text


def recorded(kept: Sequence[Compared]) -> Sequence[Compared]:
    """What real recordings say, or what they said before where they are absent."""
    data = Path(os.environ.get("BAROGRAPH_DATA", DOCS.parent.parent / "shared" / "data"))
    if (data / "sessions").is_dir():
        print(f"recordings of {data}", file=sys.stderr)
        return compared(data)
    print(f"no recordings in {data}: their table stays", file=sys.stderr)
    return kept


def main() -> None:
    """Simulate, test, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "barograph-drift"
    )
    parser.add_argument("--nice", type=int, default=10, help="how far to give way to others")
    parser.add_argument("--pages", action="store_true", help="only make the tables again")
    chosen = parser.parse_args()
    known = msgspec.json.decode(RESULTS.read_bytes(), type=Results) if RESULTS.exists() else None
    if not chosen.pages:
        os.nice(chosen.nice)
        plans = ((CHOICE, CHOICE_SEEDS), (REPORT, REPORT_SEEDS))
        choice, report = run(plans, chosen.workers, chosen.cache)
        sessions = recorded(known.sessions if known else [])
        known = Results(choice=choice, report=report, sessions=list(sessions))
        write_whole(RESULTS, b"\n".join(lines_of(known)) + b"\n")
    if known is None:
        raise SystemExit(f"{RESULTS} is not there: run without --pages")
    write_whole(PAGE, with_tables(PAGE.read_text(encoding="utf-8"), tables(known)).encode())


def lines_of(results: Results) -> Iterator[bytes]:
    """The results as JSON, a line for each market and comparison."""
    yield b"{"
    for number, name in enumerate(Results.__struct_fields__):
        yield (b"," if number else b"") + f'"{name}": ['.encode()
        rows = [msgspec.json.encode(one) for one in getattr(results, name)]
        yield from (row + (b"" if row is rows[-1] else b",") for row in rows)
        yield b"]"
    yield b"}"


if __name__ == "__main__":
    main()
