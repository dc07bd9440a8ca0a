"""What reaches the socket of a service manager, a real one."""

import socket
from contextlib import closing

import pytest

from barograph.app.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def heard(request, tmp_path):
    """The address of a manager, and a function that returns what has come."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(address.replace("@", "\0"))
        receiver.settimeout(0)

        def received():
            lines = []
            while True:
                try:
                    lines.append(receiver.recv(4096).decode())
                except BlockingIOError:
                    return lines

        yield address, received


def test_alive_is_said_only_where_something_came(heard):
    address, received = heard
    manager = ServiceManager.from_environment({"NOTIFY_SOCKET": address})
    manager.stopping()
    assert received() == []  # never ready: a child of the service
    manager.look(0, 0)
    assert received() == ["READY=1"]
    manager.look(0, 0)
    assert received() == []
    manager.look(1, 0)
    manager.look(1, 0)
    manager.look(1, 1)
    assert received() == ["WATCHDOG=1"] * 2
    manager.stopping()
    assert received() == ["STOPPING=1"]


@pytest.mark.parametrize("address", ["", "@", "/", "relative", "vsock:2:1"])
def test_nobody_is_told_where_no_such_socket_is_named(address):
    assert ServiceManager.from_environment({"NOTIFY_SOCKET": address}) is None
    assert ServiceManager.from_environment({}) is None


def test_a_manager_that_is_away_or_does_not_read_is_no_error(tmp_path):
    ServiceManager(str(tmp_path / "none")).look(0)
    address = str(tmp_path / "deaf")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as deaf:
        deaf.bind(address)
        manager = ServiceManager(address)
        for count in range(2000):  # more than the socket's queue holds
            manager.look(count)
