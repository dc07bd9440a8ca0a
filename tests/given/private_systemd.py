"""A systemd as process 1 of namespaces of its own, over a view of this machine.

What it and its units write lies in a folder of its own; of the machine's units it starts those that
are asked for, and not what else belongs to a boot.
"""

import os
import shlex
import subprocess
import uuid
from pathlib import Path

import overlay_views
from waiting import until

SYSTEMD = Path("/lib/systemd/systemd")
BEGIN = f"{SYSTEMD} --system --unit=basic.target --log-target=null"
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


def _cgroups():
    """Where cgroup2 is mounted, or None."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def missing():
    """Why no systemd can be started here; empty if one can."""
    if not SYSTEMD.exists():
        return f"{SYSTEMD} is not here"
    cgroups = _cgroups()
    if cgroups is None or not os.access(cgroups, os.W_OK):
        return "a systemd needs a cgroup2 that may be written"
    return overlay_views.missing("nsenter", "systemctl")


class PrivateSystemd:
    """A running systemd; what the folder `tree` in `folder` holds stands over this machine's."""

    def __init__(self, folder):
        tree, work, view = (folder / name for name in ("tree", "work", "view"))
        for path in (tree, work, view):
            path.mkdir(exist_ok=True)
        tree.chmod(0o755)
        self._cgroup = _cgroups() / f"barograph-{uuid.uuid4().hex[:8]}"
        self._cgroup.mkdir()
        quoted = shlex.quote(str(view))
        inside = [
            "mount --make-rprivate /",
            overlay_views.mounted(tree, work, view),
            f"cd {quoted}",
            "mount -t proc proc proc",
            "mount -t sysfs -o ro sysfs sys",
            "mount -t cgroup2 cgroup2 sys/fs/cgroup",
            "mount -t tmpfs -o mode=755 tmpfs run",
            "mount -t tmpfs -o mode=1777 tmpfs tmp",
            "mount -t tmpfs -o mode=755 tmpfs dev",
            "for name in null zero full random urandom tty; do",
            "  touch dev/$name; mount --bind /dev/$name dev/$name",
            "done",
            "mkdir dev/shm dev/pts; mount -t tmpfs -o mode=1777 tmpfs dev/shm",
            "mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts; ln -s pts/ptmx dev/ptmx",
            "rm -r lib/systemd/system/sysinit.target.wants",  # of the view
            f"exec env -i container=other {PATH} chroot . {BEGIN}",
        ]
        spaces = ("--cgroup", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
        outside = f"echo $$ > {self._cgroup}/cgroup.procs; exec unshare {' '.join(spaces)} sh -ec "
        self._process = subprocess.Popen(["sh", "-ec", outside + shlex.quote("\n".join(inside))])
        until(lambda: self._answers() or self._process.poll() is not None)
        assert self._process.poll() is None, "systemd did not start"

    def _answers(self):
        return self._first() and self.systemctl("is-active", "basic.target").returncode == 0

    def _first(self):
        """The systemd, by its number outside; 0 before it is there."""
        pid = self._process.pid
        of = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return int(of[0]) if of else 0

    def run(self, *words):
        """A command among what it started, once it ended."""
        enter = ("nsenter", "--target", self._first(), "--all", "--root", "--wd")
        return subprocess.run(
            [*map(str, enter), *words], capture_output=True, check=False, text=True
        )

    def systemctl(self, *words):
        """A `systemctl` of it, once it ended."""
        return self.run("systemctl", *words)

    def output(self):
        """What its units printed."""
        return self.run("cat", "/run/output").stdout

    def shown(self, unit, what):
        """A property of a unit."""
        return self.systemctl("show", "--value", "--property", what, unit).stdout.strip()

    def close(self):
        """End it with all that it started."""
        self._process.kill()
        self._process.wait()
        groups = [self._cgroup, *self._cgroup.rglob("*/")]
        until(lambda: not any((each / "cgroup.procs").read_text() for each in groups))
        for each in sorted(groups, reverse=True):
            each.rmdir()
