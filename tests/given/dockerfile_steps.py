"""A Dockerfile executed without an engine, step by step, over a view of this machine.

Each stage is an overlay: what this machine has shows through and is never changed, and what the
steps write lies in a folder of its own, which is what an image would add to its base. The base
image is not had here: a copy of the interpreter that runs this is its `/usr/local/bin/python`.
"""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import overlay_views

PASSED_ON = re.compile(r"(PIP|UV|SSL|REQUESTS|CURL)_\w+|(https?|no)_proxy", re.IGNORECASE)
"""Variables by which this machine reaches its package registry."""

_APT_GET = """#!/bin/sh
# What is installed already needs no lists, which are fetched for what is not.
[ "$1" != update ] || exit 0
for word in "$@"; do
  case $word in
    install | --*) continue ;;
  esac
  dpkg --status "$word" > /dev/null 2>&1 && continue
  /usr/bin/apt-get update && exec /usr/bin/apt-get "$@"
done
"""


class Stage(NamedTuple):
    """A stage of a Dockerfile: its name, and (instruction, arguments) of each step."""

    name: str
    base: str
    steps: list[tuple[str, str]]


def stages(text: str) -> list[Stage]:
    """Read a Dockerfile; comments and heredocs apart, as Docker reads it."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    read: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            base, _, name = arguments.partition(" AS ")
            read.append(Stage(name or str(len(read)), base, []))
        else:
            read[-1].steps.append((instruction, arguments.strip()))
    return read


class Execution:
    """A stage that is executed in `folder`; its `tree` is what it added to the machine's."""

    def __init__(self, folder: Path, build_args: dict[str, str]) -> None:
        self._build_args = build_args
        self.tree = folder / "tree"
        self._work, self._view = folder / "work", folder / "view"
        for path in (self.tree, self._work, self._view):
            path.mkdir(parents=True)
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/"}
        self.environment["LD_LIBRARY_PATH"] = "/usr/local/lib"  # of an interpreter that shares one
        self.environment |= {k: v for k, v in os.environ.items() if PASSED_ON.fullmatch(k)}
        self.user, self.directory = "0:0", "/"
        self.entrypoint: list[str] = []
        self.health: list[str] = []
        self._interpreter()
        self.of_base = bytes_of(self.tree)

    def _interpreter(self) -> None:
        """Put this machine's interpreter where the base image has its own."""
        local = self.tree / "usr/local"
        prefix = Path(sys.base_prefix)
        if prefix == Path("/usr"):
            (local / "bin").mkdir(parents=True)
            (local / "bin/python").symlink_to(f"/usr/bin/python3.{sys.version_info.minor}")
        else:
            shutil.copytree(prefix, local, symlinks=True, ignore=_not_in_a_base)
            (local / "bin/python").unlink(missing_ok=True)
            (local / "bin/python").symlink_to(f"python3.{sys.version_info.minor}")
        pip = local / "bin/pip"
        pip.unlink(missing_ok=True)
        pip.write_text('#!/bin/sh\nexec /usr/local/bin/python -m pip "$@"\n', encoding="utf-8")
        pip.chmod(0o755)
        apt_get = local / "bin/apt-get"
        apt_get.write_text(_APT_GET, encoding="utf-8")
        apt_get.chmod(0o755)

    def run(self, words: list[str]) -> str:
        """Standard output of a command in the stage's view. Raises AssertionError if it fails."""
        done = subprocess.run(self.command(words), capture_output=True, check=False, text=True)
        if done.returncode:
            raise AssertionError(f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def command(self, words: list[str], *, home: Path | None = None) -> list[str]:
        """The command that runs `words` in the view as the stage's user.

        home: a folder to be written, in the place of the working directory; all else but /tmp is
        read-only then.
        """
        view = shlex.quote(str(self._view))
        script = [
            "mount --make-rprivate /",
            overlay_views.mounted(self.tree, self._work, self._view),
            f"mount -t proc proc {view}/proc",
            f"mount --rbind /dev {view}/dev",
            f"mount -t tmpfs -o mode=1777 tmpfs {view}/tmp",  # noqa: S108 - of the view
        ]
        if home is not None:
            script += [
                f"mount --bind {shlex.quote(str(home))} {view}{self.directory}",
                f"mount -o remount,ro {view}",
            ]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        inside = f"cd {self.directory} && exec {shlex.join(words)}"
        chroot = ["chroot", f"--userspec={self.user}", str(self._view), "env", "-i"]
        # Not by exec: a new user would take the signal away by which the view ends with its parent.
        script.append(shlex.join([*chroot, *variables, "sh", "-c", inside]) + " || exit $?")
        return [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-ec",
            "\n".join(script),
        ]

    def step(
        self, instruction: str, arguments: str, context: Path, earlier: dict[str, "Execution"]
    ) -> None:
        """Do one step. Raises AssertionError for one that fails, KeyError for an unknown kind."""
        kinds = {
            "RUN": self._run, "ENV": self._env, "ARG": self._arg, "WORKDIR": self._workdir,
            "USER": self._user, "ENTRYPOINT": self._entrypoint, "HEALTHCHECK": self._health,
            "CMD": lambda _words: None, "COPY": lambda words: self._copy(words, context, earlier),
        }  # fmt: skip
        kinds[instruction](arguments)

    def _run(self, arguments: str) -> None:
        # A cache that an engine mounts is that of this machine, which shows through.
        self.run(["sh", "-ec", re.sub(r"^(--mount=\S+\s+)+", "", arguments)])

    def _env(self, arguments: str) -> None:
        for word in shlex.split(arguments):
            name, _, value = word.partition("=")
            self.environment[name] = re.sub(r"\$(\w+)", self._variable, value)

    def _arg(self, arguments: str) -> None:
        self._env(arguments)
        name = arguments.partition("=")[0]
        self.environment[name] = self._build_args.get(name, self.environment[name])

    def _variable(self, of: re.Match[str]) -> str:
        return self.environment.get(of[1], "")

    def _workdir(self, arguments: str) -> None:
        self.run(["mkdir", "-p", arguments])
        self.directory = arguments

    def _user(self, arguments: str) -> None:
        self.user = arguments

    def _entrypoint(self, arguments: str) -> None:
        self.entrypoint = json.loads(arguments)

    def _health(self, arguments: str) -> None:
        self.health = json.loads(arguments.partition("CMD ")[2])

    def _copy(self, arguments: str, context: Path, earlier: dict[str, "Execution"]) -> None:
        words = arguments.split()
        source = context
        if words[0].startswith("--from="):
            source = earlier[words.pop(0).removeprefix("--from=")].tree
        *names, target = words
        place = self.tree / os.path.join(self.directory, target).lstrip("/")  # noqa: PTH118
        ignored = shutil.ignore_patterns("__pycache__") if source == context else None
        for name in names:
            path = source / name.lstrip("/")
            into = place / path.name if target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, into, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy2(path, into)


def execute(dockerfile: Path, context: Path, folder: Path, **build_args: str) -> Execution:
    """Execute all stages; the last one is returned."""
    done: dict[str, Execution] = {}
    for stage in stages(dockerfile.read_text(encoding="utf-8")):
        execution = done[stage.name] = Execution(folder / stage.name, build_args)
        for instruction, arguments in stage.steps:
            execution.step(instruction, arguments, context, done)
    return execution


def _not_in_a_base(folder: str, names: list[str]) -> list[str]:
    """What a copy of the interpreter leaves out: caches, its tests, packages but pip."""
    if Path(folder).name == "site-packages":
        return [name for name in names if not name.startswith("pip")]
    return [name for name in names if name in {"__pycache__", "test", "idlelib", "tkinter"}]


def bytes_of(tree: Path) -> int:
    """What the files of a tree take, links counted once."""
    seen: dict[tuple[int, int], int] = {}
    for path in tree.rglob("*"):
        with suppress(FileNotFoundError):
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode):
                seen[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(seen.values())
