"""Verbs on a live venue: up, feed."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.alerts import OnAlertOption, WebhookOption, bells
from barograph.app.cli.answers import answer, warn
from barograph.app.cli.observing import LogFormatOption, MetricsPortOption, observed
from barograph.app.cli.options import (
    MOST_MINUTES,
    HomeOption,
    JsonOption,
    LogOption,
    no_nan,
    settings_of,
)
from barograph.app.cli.serve import PortOption, page_served
from barograph.app.cli.stopping import stop_requested

if TYPE_CHECKING:
    from barograph.app.settings import Settings
    from barograph.feed.venue_socket import ListenPlan

app = typer.Typer()

VenueOption = Annotated[
    str, typer.Option("--venue", help="coinbase, coinbase-advanced or simulated.")
]
ProductsOption = Annotated[str, typer.Option("--products", help="Products, comma-separated.")]
MinutesOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=MOST_MINUTES,
        callback=no_nan,
        help="Minutes to run; default until Ctrl-C.",
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Address of the venue instead of its own, ws:// or wss://."),
]


@app.command()
def up(
    venue: VenueOption = "coinbase",
    products: ProductsOption = "BTC-USD,ETH-USD",
    minutes: MinutesOption = None,
    url: UrlOption = None,
    retrain: Annotated[bool, typer.Option(help="Train whenever due (retrain_every_h).")] = True,
    web: Annotated[bool, typer.Option(help="Serve the API and the live page.")] = True,
    port: PortOption = None,
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    on_alert: OnAlertOption = None,
    webhook: WebhookOption = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Run a live venue: feed, features, predictions, alerts, page.

    One process, until Ctrl-C, with the API and the live page. `--venue simulated` without --url
    starts an exchange of its own.
    """
    from barograph.app.alerting.senders import sinks_of
    from barograph.app.runs import up
    from barograph.deadline import Deadline, Start, StartStopped

    settings, deadline, start = settings_of(home), Deadline(), Start()
    if not retrain:
        settings = settings.model_copy(update={"retrain_every_h": 0.0})
    on_screen = sys.stdout.isatty()
    sinks = sinks_of(commands=on_alert or [], webhooks=webhook or [])
    sinks += bells(settings)
    with stop_requested(lambda: deadline.begin(up.ENDS_S), start.interrupt) as stop:
        try:
            with (
                observed(settings, "up", metrics_port, log_format, on_screen=on_screen) as events,
                _own_exchange(settings, venue, products, url) as address,
            ):
                plan = plan_of(settings, venue, products, address, minutes)
                place = log or settings.home
                # Where events are logged the start says the address too.
                served = page_served(settings, place, port, deadline, quiet=events.logged)
                with served if web else nullcontext("") as page:
                    done = up.run(
                        settings, place, plan, stop, warn, page, events, sinks, deadline, start
                    )
        except StartStopped:
            done = up.nothing_done(venue, url or "", tuple(products.split(",")))
    answer(done, json, lambda: up.summary_table(done))


@app.command()
def feed(
    venue: VenueOption = "coinbase",
    products: ProductsOption = "BTC-USD,ETH-USD",
    minutes: MinutesOption = None,
    url: UrlOption = None,
    metrics_port: MetricsPortOption = None,
    log_format: LogFormatOption = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Record a live venue into archive and ticks.raw until Ctrl-C.

    Each hole in the data is detected, and filled from REST or recorded as a gap.
    """
    from barograph.app.intake import feed_of
    from barograph.app.terminal import listing, terminal
    from barograph.feed import live
    from barograph.log import open_log
    from barograph.log.retention import PeriodicRetention

    settings = settings_of(home)
    plan = plan_of(settings, venue, products, url, minutes)
    address = log or settings.home
    with (
        stop_requested() as stop,
        observed(settings, "feed", metrics_port, log_format) as events,
        closing(open_log(address, live=True)) as opened,
        closing(feed_of(settings, opened, plan.products, warn, plan.books)) as entries,
        PeriodicRetention(lambda: open_log(address), warn),
        terminal.progress() as progress,
    ):
        note = events.starting(
            settings.home,
            address,
            venue=venue,
            address=plan.endpoint.socket,
            products=plan.products,
        )

        def show(line: str) -> None:
            progress.say(line)
            events.status(entries.summary.facts)

        heard = live.listen(entries, plan, stop, warn, show, note)
    answer(heard, json, lambda: listing.live(heard))


@contextmanager
def _own_exchange(
    settings: "Settings", venue: str, products: str, url: str | None
) -> Iterator[str | None]:
    """Yield the venue's address; starts a simulated exchange for `simulated` without `url`."""
    if venue != "simulated" or url is not None:
        yield url
        return
    from barograph.simulated.exchange import KEPT_TRADES, Exchange, Terms, running
    from barograph.simulated.law import PRESETS
    from barograph.simulated.market import SimulatedMarket
    from barograph.simulated.sources import simulated
    from barograph.types import NS_PER_S
    from barograph.venues.coinbase.endpoints import joined, products_named

    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    names, _ = joined(products_named(products))
    market = SimulatedMarket(PRESETS["market"], names, settings.seed, now_ns)
    terms = Terms(wait_for_reader=True, present=True, keep_trades=KEPT_TRADES)
    with running(Exchange(simulated(market), terms=terms)) as exchange:
        yield f"ws://{exchange.address}"


def plan_of(
    settings: "Settings", venue: str, products: str, url: str | None, minutes: float | None
) -> "ListenPlan":
    """The plan of a live feed from settings, options and the API key in the environment.

    Asks the venue which products it lists. Raises BadInputError for an unknown venue, and for a
    product that is not listed. Prints a warning for each remark.
    """
    from barograph.feed.credentials import from_environment
    from barograph.feed.product_check import check_products
    from barograph.feed.venue_socket import Limits, ListenPlan
    from barograph.venues.coinbase.endpoints import endpoint, products_named

    place = endpoint(venue, url)
    key = from_environment(os.environ) if place.venue == "coinbase-advanced" else None
    checked = check_products(place, products_named(products))
    for remark in checked.remarks:
        warn(remark)
    return ListenPlan(
        endpoint=place,
        products=checked.products,
        books=checked.books,
        one_book=checked.one_book,
        unchecked=checked.unchecked,
        limits=Limits(silence_s=settings.silence_timeout_s),
        queue_entries=settings.queue_entries,
        clock_limit_s=settings.clock_limit_s,
        seconds=None if minutes is None else minutes * 60,
        token=None if key is None else lambda: key.token(int(time.time())),
    )
