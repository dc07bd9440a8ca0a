"""The verb that looks at machine, network and home: doctor."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.live import UrlOption, VenueOption
from barograph.app.cli.options import CaseOption, HomeOption, JsonOption, LogOption
from barograph.app.web.limits import DEFAULT_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barograph.app.runs.doctor.examination import Finding, Look
    from barograph.app.settings import Settings
    from barograph.registry.registry import Registry
    from barograph.venues.coinbase.endpoints import Endpoint

app = typer.Typer()


class Subject(StrEnum):
    """What can be looked at alone."""

    FEED = "feed"
    KAFKA = "kafka"
    REPORT = "report"
    AIRFLOW = "airflow"


@app.command()
def doctor(
    subject: Annotated[
        Subject | None, typer.Option("--for", help="Look at what this alone needs.")
    ] = None,
    venue: VenueOption = "coinbase",
    url: UrlOption = None,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of the web page.")
    ] = DEFAULT_PORT,
    case: CaseOption = "spikes",
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Look for faults of machine, home and models, and name cures.

    It looks at the network, too, changes nothing, and takes at most three seconds for each look.
    Exit code 0 without a problem, warnings or not, and 1 with one.
    """
    from barograph.app.runs.doctor.examination import State, examine
    from barograph.app.terminal import doctor_page

    looks = _looks(subject, venue, url, port, case, home, log)
    result = examine(looks, "" if subject is None else str(subject))
    answer(result, json, lambda: doctor_page.page(result))
    if result.state is State.PROBLEM:
        wrong = [each for each in result.findings if each.state is State.PROBLEM]
        warn(f"{len(wrong)} problem(s): {', '.join(each.name for each in wrong)}")
        raise typer.Exit(1)


def _looks(
    subject: Subject | None,
    venue: str,
    url: str | None,
    port: int,
    case: str,
    home: Path | None,
    log: str | None,
) -> "dict[str, Look]":
    """The looks of a subject, or all, in the order in which their findings are shown."""
    from barograph.app.runs.doctor import home as at_home
    from barograph.app.runs.doctor import machine, model_store, network
    from barograph.cases.named import case_named
    from barograph.log import file_of
    from barograph.venues.coinbase.endpoints import endpoint

    settings, settings_look = _settings(home)
    place = settings.home if settings is not None else (home or Path("barograph-home"))
    address = log or str(place)
    file, site = file_of(address) if not _is_kafka(address) else None, endpoint(venue, url)
    chosen, setting = case_named(case), "" if settings is None else settings.registry
    alone = subject is not None
    looks: dict[str, Look] = {
        "settings": settings_look,
        "versions": machine.versions,
        "packages": lambda: machine.packages(_extras(subject, address)),
        "limits": machine.limits,
        "home": lambda: at_home.place(place),
        "log": lambda: () if file is None else at_home.log(place, file),
        "archive": lambda: at_home.archive(place),
        "recovery": lambda: at_home.recovery(place, address),
        "registry": lambda: model_store.registry(place, setting),
        "model": lambda: at_home.models(
            place, chosen.name, chosen.feature_set, _elsewhere(settings)
        ),
        "venue": lambda: network.venue(site, needed=alone),
        "clock": lambda: _clock(address, site),
        "brokers": lambda: _brokers(address, alone),
        "port": lambda: machine.port(port),
        "airflow": machine.airflow,
    }
    wanted = _OF[subject] if subject is not None else _all_of(looks, address)
    return {name: looks[name] for name in wanted}


_OF: dict[Subject, tuple[str, ...]] = {
    Subject.FEED: ("settings", "packages", "limits", "home", "log", "venue", "clock"),
    Subject.KAFKA: ("settings", "packages", "brokers"),
    Subject.REPORT: ("settings", "packages", "home", "registry", "model"),
    Subject.AIRFLOW: ("settings", "airflow", "home", "log", "registry", "model"),
}
_EXTRA_OF = {Subject.KAFKA: ("kafka",), Subject.REPORT: ("report",)}


def _elsewhere(settings: "Settings | None") -> "Registry | None":
    """The registry of a server, with what it last answered; None for that under the home."""
    from barograph.app.registries import registry_of
    from barograph.errors import BarographError
    from barograph.registry.tracking_server import tracking_server

    try:
        if settings is None or tracking_server(settings.registry) is None:
            return None
        return registry_of(settings, last_known=True)
    except BarographError:
        return None  # the look at the registry says so


def _clock(address: str, site: "Endpoint") -> "Iterable[Finding]":
    """By a feed that runs where there is one, which knows better than the Date of an answer."""
    import time

    from barograph.app.runs.doctor import home as at_home
    from barograph.app.runs.doctor import network

    found = None if _is_kafka(address) else at_home.clock(address, site.venue, time.time_ns())
    return network.clock(site) if found is None else [found]


def _all_of(looks: "dict[str, Look]", address: str) -> tuple[str, ...]:
    left = {"airflow"} if _is_kafka(address) else {"airflow", "brokers"}
    return tuple(name for name in looks if name not in left)


def _extras(subject: Subject | None, address: str) -> tuple[str, ...]:
    if subject is not None:
        return _EXTRA_OF.get(subject, ())
    return ("kafka",) if _is_kafka(address) else ()


def _is_kafka(address: str) -> bool:
    return address.startswith("kafka://")


def _brokers(address: str, alone: bool) -> "list[Finding]":
    from barograph.app.runs.doctor import network
    from barograph.app.runs.doctor.examination import problem

    if _is_kafka(address):
        return list(network.brokers(address))
    if not alone:
        return []
    cure = "Name one (`--log kafka://host:port`); `make kafka` runs one here"
    return [problem("kafka", "no log on Kafka is named", cure)]


def _settings(home: Path | None) -> "tuple[Settings | None, Look]":
    """The settings, or None where they are wrong; and the look that says so."""
    from barograph.app.cli.options import settings_of
    from barograph.app.runs.doctor.examination import ok, refused, warning
    from barograph.app.settings import misspelt
    from barograph.errors import BadInputError

    try:
        settings = settings_of(home, tell=False)
    except BadInputError as error:
        wrong = refused("settings", error)
        return None, lambda: [wrong]
    found = [
        warning("settings", f"{name} is no setting and is ignored", f"`export {meant}=…`")
        for name, meant in misspelt().items()
    ]
    return settings, lambda: found or [ok("settings", "`barograph settings` lists them")]
