"""What an examination finds on the machine: packages, versions, limits, and a port."""

import importlib.metadata
import json
import os
import platform
import re
import resource
import shutil
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

from barograph.app.runs.doctor.examination import Finding, ok, problem, warning

HANDLES = 1024
"""Open files that a pipeline with its web page may need."""

_MEMORY_BYTES = 2_000_000 << 10
_PORT_S = 1.0
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(.*)$")
_EXTRA = re.compile(r"""extra == ['"]([\w-]+)['"]""")


def versions() -> Iterator[Finding]:
    """Python, SQLite and ONNX Runtime, and the machine they run on."""
    yield ok(
        "versions",
        f"Barograph {_version('barograph')}, Python {platform.python_version()}, SQLite "
        f"{sqlite3.sqlite_version}, ONNX Runtime {_version('onnxruntime') or 'none'}, "
        f"{platform.machine()}, {os.cpu_count()} processors",
    )


def packages(wanted: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Which packages are missing, of Barograph itself and of its extras.

    wanted: extras that are a problem where they are missing.
    """
    core, extras = _requirements()
    missing = [name for name in core if _version(name) is None]
    if missing:
        cure = "From the clone: `make install`"
        yield problem("packages", f"missing: {', '.join(missing)}", cure)
    else:
        yield ok("packages", f"all {len(core)} are installed")
    for extra in wanted:
        if absent := [name for name in extras.get(extra, ()) if _version(name) is None]:
            cure = f"From the clone: `.venv/bin/uv pip install -e '.[{extra}]'`"
            yield problem(f"extra {extra}", f"not installed: {', '.join(absent)}", cure)
        else:
            yield ok(f"extra {extra}", "installed")
    if wanted:
        return
    there = [name for name, needs in extras.items() if all(map(_version, needs))]
    away = [name for name in extras if name not in there]
    yield ok(
        "extras",
        f"installed: {', '.join(there) or 'none'}"
        + (f"; not needed until asked for: {', '.join(away)}" if away else ""),
    )


def limits() -> Iterator[Finding]:
    """How many files may be open, and how much memory and how large a file is allowed."""
    handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    finite = resource.RLIM_INFINITY
    files = f"{'unlimited' if handles == finite else f'{handles:,}'} open files"
    bad = False
    if handles != finite and handles < HANDLES:
        bad = True
        yield warning("limits", f"{handles:,} open files at most", f"`ulimit -n {HANDLES}`")
    memory, _ = resource.getrlimit(resource.RLIMIT_AS)
    if memory != finite and memory < _MEMORY_BYTES:
        bad = True
        cure = f"`ulimit -v {_MEMORY_BYTES >> 10}`, or lift the limit"
        yield problem("limits", f"{memory / 1e6:,.0f} MB of memory at most", cure)
    size, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if size != finite:
        bad = True
        yield warning("limits", f"files of {size / 1e6:,.0f} MB at most", "`ulimit -f unlimited`")
    if not bad:
        yield ok("limits", f"{files}; no limit on memory or the size of files")


def port(number: int, host: str = "127.0.0.1") -> Iterator[Finding]:
    """Whether the port of the web page is free, ours already, or another program's."""
    name = f"port {number}"
    try:
        with socket.create_connection((host, number), _PORT_S):
            pass
    except ConnectionRefusedError:
        yield ok(name, f"free on {host}")
        return
    except OSError as error:
        yield warning(name, f"not known ({error})", "Look again, or name another (`--port 0`)")
        return
    if _is_ours(f"http://{host}:{number}/health"):
        yield ok(name, f"Barograph answers at http://{host}:{number}")
    else:
        yield warning(name, f"another program has it on {host}", "Name another: `--port 0`")


def airflow() -> Iterator[Finding]:
    """Whether a task of Airflow can call the command line."""
    command = shutil.which("barograph")
    if command is None:
        yield problem(
            "command",
            "barograph is not on PATH, so no task finds it",
            f'`export PATH="{os.path.dirname(sys.executable)}:$PATH"`',  # noqa: PTH120
        )
    else:
        yield ok("command", command)
    version = _version("apache-airflow")
    if version is None:
        yield warning(
            "airflow",
            "not installed beside Barograph; an Airflow elsewhere calls the command above",
            "Call the command from a BashOperator, in an environment of Airflow's own",
        )
    else:
        yield ok("airflow", version)


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """The packages that Barograph itself needs, and those of each extra."""
    core: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("barograph") or ():
        named = _REQUIREMENT.match(line)
        if named is None:
            continue
        extra = _EXTRA.search(line)
        if extra is None:
            core.append(named[1])
        else:
            extras.setdefault(extra[1], []).append(named[1])
    return core, extras


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_ours(address: str) -> bool:
    """Whether a Barograph answers there, in good health or not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=_PORT_S) as answer:
            body = answer.read(1 << 16)
    except urllib.error.HTTPError as error:
        body = error.read(1 << 16)
    except (OSError, ValueError):
        return False
    try:
        health = json.loads(body)
    except ValueError:
        return False
    return isinstance(health, dict) and {"live", "ready"} <= health.keys()
