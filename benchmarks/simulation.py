"""The whole in simulated worlds, one seed a run (`tests/given/simulation.py` says what is checked).

    python benchmarks/simulation.py 0:10000        seeds 0 to 9,999, on all processors
    python benchmarks/simulation.py 4711           one seed, with its story

Prints each seed that fails with its story and how to run it again, and leaves with 1 if one did.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "given"))

from barograph import environment

environment.for_numpy()  # as the command line does, before numpy is imported

from barograph.app.runs.demo import compile_kernels  # noqa: E402
from simulation import ViolationError, World  # noqa: E402

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in it is made with a name of its own


def run(seed: int) -> tuple[int, str, str]:
    """One seed: what it violated, empty where nothing, and its story."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        world = World(seed, Path(folder))
        try:
            world.run()
        except ViolationError as violation:
            return seed, str(violation), world.summary()
        return seed, "", world.summary()


def run_all(seeds: range) -> Iterator[tuple[int, str, str]]:
    """All of them, on all processors; each worker has one thread, since lives are forked."""
    if len(seeds) == 1:
        yield run(seeds[0])
        return
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        yield from pool.imap_unordered(run, seeds)


def main(words: str) -> int:
    """How many seeds failed."""
    first, _, last = words.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    compile_kernels()  # once, and not in a life, whose time is limited
    started, failed = time.monotonic(), 0
    for done, (seed, violation, story) in enumerate(run_all(seeds), 1):
        if violation:
            failed += 1
            print(f"seed {seed}: {violation}\n{story}", flush=True)
            print(f"again: python benchmarks/simulation.py {seed}\n", flush=True)
        elif len(seeds) == 1:
            print(f"seed {seed}: all holds\n{story}")
        elif done % 500 == 0:
            print(f"{done:,} seeds, {failed} failed", flush=True)
    seconds = time.monotonic() - started
    print(f"{len(seeds):,} seeds, {failed} failed, {seconds:.0f} s")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "0:10000") > 0)
