"""`make bench`: every row, into `results.json`, beside `machine.json`; and a table to look at.

    .venv/bin/python benchmarks/run.py [--only PART-OF-A-NAME …] [--repeats N] [--check]

Rows that are not run keep what the file says of them. `--check` (`make bench-check`) runs each row
once on a small input and writes nothing; it ends at the first one that fails, or, in CI, that has
to be left out. The demo, which has no small input, is run by `.ci/run` itself.
"""

import argparse
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

import committed  # noqa: F401 - its rows register themselves
import features  # noqa: F401
import hourly  # noqa: F401
import kafka  # noqa: F401
import kafka_costs  # noqa: F401
import live  # noqa: F401
import log_records  # noqa: F401
import measure
import page  # noqa: F401
import pipeline  # noqa: F401
import processes  # noqa: F401
import records  # noqa: F401
import scale  # noqa: F401
import scoring  # noqa: F401
import takeover  # noqa: F401
import web  # noqa: F401
from barograph.figures import NOT_DEFINED, three_digits
from barograph.files.disk import write_whole

HERE = Path(__file__).parent
RESULTS, MACHINE = HERE / "results.json", HERE / "machine.json"
_RUN_BY_CI = "demo --check"
_VERSIONS = (
    "numpy",
    "numba",
    "polars",
    "pandas",
    "river",
    "onnxruntime",
    "pyspark",
    "lightgbm",
    "msgspec",
    "confluent-kafka",
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
)


def main() -> None:
    """Run the chosen rows and write what came out."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="*", default=[], help="rows whose name has one of these")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--check", action="store_true", help="only whether every row works")
    options = arguments.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    if options.check:
        _check(options.only, console)
        return
    known = _known()
    machine = _machine()
    for row in measure.ROWS:
        if not _is_chosen(row, options.only):
            continue
        try:
            with console.status(row.name):
                known[row.name] = row.result(options.repeats)
        except measure.NotMeasuredError as missing:
            console.print(f"{row.name}: not measured, {missing}")
        else:
            console.print(_line(known[row.name]))
    results = [known[row.name] for row in measure.ROWS if row.name in known]
    write_whole(RESULTS, msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    write_whole(MACHINE, msgspec.json.format(msgspec.json.encode(machine)) + b"\n")
    console.print(_table(results))


def _is_chosen(row: measure.Row, only: list[str]) -> bool:
    return not only or any(word in row.name for word in only)


def _check(only: list[str], console: Console) -> None:
    """Run every chosen row once on a small input; raises what the first broken one does."""
    measure.check_only()
    for row in measure.ROWS:
        if not _is_chosen(row, only) or row.name.startswith(_RUN_BY_CI):
            continue
        console.print(f"{row.name} … ", end="")
        started = time.monotonic()
        try:
            row.result(1)
        except measure.NotMeasuredError as missing:
            if os.environ.get("CI"):
                raise
            console.print(f"left out: {missing}")
        else:
            console.print(f"works ({time.monotonic() - started:.1f} s)")


def _known() -> dict[str, dict[str, object]]:
    if not RESULTS.exists():
        return {}
    return {result["name"]: result for result in msgspec.json.decode(RESULTS.read_bytes())}


def _machine() -> dict[str, object]:
    """What the figures were measured on, and how busy it was with other things before."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def _line(result: dict[str, object]) -> str:
    return f"{result['name']}: {_figure(result['ours'])} {result['unit']}"


def _table(results: list[dict[str, object]]) -> Table:
    table = Table(title="ratio above 1: ours is better")
    for column in ("name", "ours", "peer", "unit", "ratio", "goal", "met"):
        table.add_column(column, justify="left" if column in {"name", "goal"} else "right")
    for result in results:
        figures = (_figure(result[name]) for name in ("ours", "peer"))
        goal, met = result["goal"] or "", result["met"]
        verdict = "" if met is None else "[green]yes" if met else "[red]no"
        unit = str(result["unit"])
        table.add_row(
            str(result["name"]), *figures, unit, _figure(result["ratio"]), str(goal), verdict
        )
    return table


def _figure(value: object) -> str:
    if value is None:
        return NOT_DEFINED
    assert isinstance(value, int | float)
    return three_digits(value)


if __name__ == "__main__":
    main()
