"""What a service tells the manager that started it: that it is ready, alive, and stopping.

The protocol of systemd's `sd_notify`: datagrams of `NAME=value` lines to the Unix socket that
`NOTIFY_SOCKET` names. `WATCHDOG=1` is sent only where data came since the last one, so the
manager's watchdog measures the age of data: a feed that hears nothing for so long is started again.
"""

import socket
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Self


class ServiceManager:
    """The manager behind a socket. Not thread-safe. A manager that is away is no error."""

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._counts: tuple[object, ...] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """The manager of `NOTIFY_SOCKET`; None where nobody is to be told."""
        address = environment.get("NOTIFY_SOCKET", "")
        return cls(address) if address.startswith(("/", "@")) and len(address) > 1 else None

    def look(self, *counts: object) -> None:
        """Say ready the first time, and then alive where the counts of what came have changed."""
        if self._counts is None:
            self._send("READY=1")
        elif counts != self._counts:
            self._send("WATCHDOG=1")
        self._counts = counts

    def stopping(self) -> None:
        """Say that the service ends, if it was ever ready."""
        if self._counts is not None:
            self._send("STOPPING=1")

    def _send(self, line: str) -> None:
        with suppress(OSError), closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
            sender.settimeout(0)
            sender.sendto(line.encode(), self._address)
