"""Files with which a machine runs `up` by itself: for systemd, launchd, logrotate and cron.

A backup each night is a line of cron. What is written under systemd goes to the journal, which
rotates; launchd appends to a file, which `logrotate` does.
"""

import plistlib
import shlex
import sys
from pathlib import Path

import msgspec

from barograph.errors import BadInputError
from barograph.files.disk import declared, write_whole

WATCHDOG_S = 180
"""A feed that hears nothing for so long is started again; a venue beats every second."""

UNIT, PLIST, ROTATION, CRON = (
    "barograph.service", "barograph.plist", "barograph.logrotate", "barograph.cron",
)  # fmt: skip
_BAD_INPUT = 2
"""Exit code of what another start would not mend."""


class ServicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What runs and as whom: `words` follow `barograph up`, and settings lie in `folder`."""

    program: Path
    words: tuple[str, ...]
    home: Path
    folder: Path
    user: str


class ServiceFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files that were written, and the commands that put the service to work with systemd."""

    files: list[str]
    commands: list[str]


def program() -> Path:
    """The command beside this Python. Raises BadInputError where there is none."""
    path = Path(sys.executable).with_name("barograph")
    if not path.exists():
        raise BadInputError(str(path), "it is not there", "Install Barograph: `pip install .`")
    return path


def write(directory: Path, plan: ServicePlan) -> ServiceFiles:
    """Write all files into a folder, which is made, as is the home.

    Raises BadInputError and DiskFullError.
    """
    for folder in (directory, plan.home):  # a unit that may write a home needs it
        with declared(folder):
            folder.mkdir(parents=True, exist_ok=True)
    contents = {
        UNIT: unit(plan).encode(),
        PLIST: plist(plan),
        ROTATION: rotation(plan).encode(),
        CRON: cron(plan).encode(),
    }
    for name, content in contents.items():
        write_whole(directory / name, content)
    place = directory.absolute()
    return ServiceFiles(
        files=[str(place / name) for name in contents],
        commands=[
            shlex.join(["chown", "-R", plan.user, str(plan.home)]),
            shlex.join(["systemctl", "enable", "--now", str(place / UNIT)]),
        ],
    )


def unit(plan: ServicePlan) -> str:
    """The unit of systemd. It may write its home and its cache of compiled kernels alone."""
    command = " ".join(map(_word, (str(plan.program), "up", *plan.words)))
    return f"""[Unit]
Description=Barograph
Wants=network-online.target
After=network-online.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
WorkingDirectory={_path(plan.folder)}
EnvironmentFile=-/etc/barograph.env
Environment=XDG_CACHE_HOME=%C/barograph
CacheDirectory=barograph
User={plan.user}
# A first start compiles for a minute.
TimeoutStartSec=600
TimeoutStopSec=15
# Counts the seconds without data.
WatchdogSec={WATCHDOG_S}
Restart=on-failure
RestartSec=5
# One line in the journal says what to mend.
RestartPreventExitStatus={_BAD_INPUT}
LimitNOFILE=4096
UMask=0027
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={_word(str(plan.home))}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


def plist(plan: ServicePlan) -> bytes:
    """The property list of launchd, which restarts what failed and keeps its lines in a file."""
    return plistlib.dumps(
        {
            "Label": "barograph",
            "ProgramArguments": [str(plan.program), "up", *plan.words],
            "WorkingDirectory": str(plan.folder),
            "UserName": plan.user,
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 30,
            "ProcessType": "Interactive",  # no throttling of processor and disk
            "StandardErrorPath": str(_log_file(plan)),
            "Umask": 0o027,
        }
    )


def rotation(plan: ServicePlan) -> str:
    """The rule of logrotate for lines that go to a file."""
    return f"""{_quoted(_log_file(plan))} {{
    weekly
    rotate 8
    compress
    missingok
    notifempty
    copytruncate
}}
"""


def cron(plan: ServicePlan) -> str:
    """The line of `/etc/cron.d` that makes a backup each night, in a folder of its day."""
    backups = plan.home.with_name(f"{plan.home.name}-backups")
    words = [str(plan.program), "backup", "--quiet", "--home", str(plan.home)]
    command = f"{shlex.join(words)} {shlex.quote(str(backups))}/$(date +%F)".replace("%", r"\%")
    return f"17 3 * * * {plan.user} {command}\n"


def _log_file(plan: ServicePlan) -> Path:
    return plan.home.with_name(f"{plan.home.name}.log")


def _word(text: str) -> str:
    """A word of a unit's command or list, where %, $ and quotes have a meaning."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != text or not text or " " in text or "'" in text else text


def _path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _quoted(path: Path) -> str:
    return f'"{path}"'
