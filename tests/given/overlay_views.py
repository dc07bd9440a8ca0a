"""Views of this machine that take what is written in them to a folder of their own."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = ("unshare", "chroot", "mount")


def mounted(tree: Path, work: Path, view: Path) -> str:
    """A shell's line that shows the root at `view`, with `tree` above it to be written."""
    layers = f"lowerdir=/,upperdir={tree},workdir={work}"
    return f"mount -t overlay overlay -o {shlex.quote(layers)} {shlex.quote(str(view))}"


def missing(*programs: str) -> str:
    """Why there are none here, as in most containers; empty where there are.

    programs: which else are needed.
    """
    absent = [name for name in (*PROGRAMS, *programs) if shutil.which(name) is None]
    if absent or os.geteuid():
        return f"a view of this machine needs root and {', '.join(absent or PROGRAMS)}"
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("tree", "work", "view")]
        for path in places:
            path.mkdir()
        script = f"mount --make-rprivate / && {mounted(*places)}"
        words = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", script]
        tried = subprocess.run(words, capture_output=True, check=False, text=True)
    return f"no view of this machine: {tried.stderr.strip()}" if tried.returncode else ""
