"""What an examination finds on the network: a venue, its clock, and the brokers of a log."""

import email.utils
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

from barograph.app.runs.doctor.examination import (
    LIMIT_S,
    Finding,
    State,
    ok,
    problem,
    refused,
    warning,
)
from barograph.errors import BarographError
from barograph.log import Log
from barograph.venues.coinbase.endpoints import Endpoint

CLOCK_S = 2.0
"""How far a clock may be off: the Date of an answer counts whole seconds."""

_SECURE = {"https", "wss"}
_WITHOUT = "Check the network and its proxy; recordings and `--venue simulated` need none"


def venue(endpoint: Endpoint, *, needed: bool) -> Iterator[Finding]:
    """Whether a venue's WebSocket and REST hosts answer, and how its clock stands to ours.

    needed: a venue that cannot be reached is a problem, and else a warning.
    """
    state = State.PROBLEM if needed else State.WARNING
    for what, address in (("WebSocket", endpoint.socket), ("REST", endpoint.rest)):
        name = f"{endpoint.venue} {what}"
        if address is None:
            continue
        try:
            taken_ms = _connect(address)
        except OSError as error:
            text = f"{urlsplit(address).netloc} cannot be reached ({_why(error)})"
            cure = "`barograph simulate`" if endpoint.venue == "simulated" else _WITHOUT
            yield Finding(name=name, state=state, text=text, cure=cure)
        else:
            yield ok(name, f"{urlsplit(address).netloc} answers in {taken_ms:,.0f} ms")


def clock(endpoint: Endpoint) -> Iterator[Finding]:
    """How far our clock is from a venue's, by the Date of its answer; to a second."""
    address = endpoint.products or endpoint.rest
    if address is None:
        return
    sent_s = time.time()
    date = _date_of(address)
    if date is None:
        cure = "Look again with the network, or see that NTP runs (`timedatectl`)"
        yield warning("clock", f"not known: no Date from {urlsplit(address).netloc}", cure)
        return
    # The Date is cut to a second, and is of some moment between question and answer.
    early_s, late_s = sent_s - (date + 1.0), time.time() - date
    yield clock_off(early_s if early_s > 0 else min(late_s, 0.0), urlsplit(address).netloc)


def clock_off(off_s: float, witness: str) -> Finding:
    """The finding about our clock, which is `off_s` seconds fast by what a witness says."""
    if abs(off_s) <= CLOCK_S:
        return ok("clock", f"within {CLOCK_S:g} s of {witness}")
    word = "fast" if off_s > 0 else "slow"
    cure = "Set it by NTP: `timedatectl set-ntp true`"
    return problem("clock", f"{abs(off_s):,.0f} s {word}, by {witness}", cure)


def brokers(address: str) -> Iterator[Finding]:
    """Whether the brokers of a log on Kafka can be reached, and answer as Kafka."""
    reached = 0
    for broker in urlsplit(address).netloc.split(","):
        try:
            taken_ms = _connect(f"kafka://{broker}")
        except (OSError, ValueError) as error:
            cure = "Start it (`make kafka` for one here), or correct host and port in --log"
            yield problem(f"broker {broker}", f"it cannot be reached ({_why(error)})", cure)
        else:
            reached += 1
            yield ok(f"broker {broker}", f"answers in {taken_ms:,.0f} ms")
    if not reached or (log := answering(address)) is None:
        return
    try:
        with closing(log):
            topics = log.topics()
    except BarographError as error:
        yield refused("kafka", error)
        return
    if topics:
        yield ok("kafka", f"{len(topics)} topics")
    else:
        cure = "`barograph topics create`, with this --log"
        yield warning("kafka", "it has no topic of this log", cure)


def answering(address: str) -> Log | None:
    """The log on Kafka at an address, which gives up in time for a look; None without its client.

    What is installed says so.
    """
    try:
        from barograph.log.kafka import KafkaLog  # noqa: PLC0415 - its client is an extra
    except ModuleNotFoundError:
        return None
    return KafkaLog(address, wait_s=LIMIT_S / 2)


def _connect(address: str) -> float:
    """Connect, with TLS where the address has it, and return the milliseconds it took.

    Raises OSError; ssl.SSLError is one.
    """
    parts = urlsplit(address)
    secure = parts.scheme in _SECURE
    began_s = time.monotonic()
    place = (parts.hostname or "", parts.port or (443 if secure else 80))
    with socket.create_connection(place, LIMIT_S * 0.8) as plain:
        if secure:
            with ssl.create_default_context().wrap_socket(plain, server_hostname=place[0]):
                pass
    return (time.monotonic() - began_s) * 1000


def _date_of(address: str) -> float | None:
    """The Date of an answer in epoch seconds, whatever its status; None without one."""
    asked = urllib.request.Request(address, method="HEAD", headers={"User-Agent": "barograph"})  # noqa: S310 - of an endpoint
    try:
        with urllib.request.urlopen(asked, timeout=LIMIT_S * 0.8) as answer:  # noqa: S310 - as above
            date = answer.headers["Date"]
    except urllib.error.HTTPError as error:
        date = error.headers["Date"]
    except (OSError, http.client.HTTPException, ValueError):
        return None
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
