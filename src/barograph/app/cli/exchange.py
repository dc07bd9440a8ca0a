"""The verb of the simulated exchange: simulate."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, warn
from barograph.app.cli.options import MOST_MINUTES, MOST_SEED, JsonOption, no_nan, speed_of
from barograph.app.cli.stopping import stop_requested

if TYPE_CHECKING:
    from barograph.simulated.exchange import Exchange
    from barograph.simulated.sources import Source

app = typer.Typer()

_LOOK_S = 0.25


@app.command()
def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the market.")] = 1,
    products: Annotated[str, typer.Option(help="Products, comma-separated.")] = "BTC-USD,ETH-USD",
    preset: Annotated[
        str, typer.Option(help="market, or constant (nothing to predict).")
    ] = "market",
    recording: Annotated[
        Path | None, typer.Option(help="Replay the ticks of this recording instead.")
    ] = None,
    speed: Annotated[
        str, typer.Option(help="Market seconds per second, or max: as fast as clients read.")
    ] = "1",
    faults: Annotated[Path | None, typer.Option(help="Fault script, TOML.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=MOST_MINUTES,
            callback=no_nan,
            help="Minutes to run; default until SIGINT or SIGTERM.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a simulated exchange here, with faults on demand.

    It speaks both Coinbase protocols and serves trades over REST. On exit it prints what it
    generated and sent.
    """
    from barograph.app.terminal import terminal
    from barograph.simulated.exchange import KEPT_TRADES, Exchange, Terms, running
    from barograph.simulated.fault_script import FaultScript, read_script
    from barograph.simulated.pages import CandleTerms

    pace = speed_of(speed)
    script = read_script(faults) if faults is not None else FaultScript()
    source = _source(recording, preset, products, seed, pace)
    candles = CandleTerms(seed=seed, faults=tuple(script.candle_fault))
    terms = Terms(keep_trades=KEPT_TRADES, candles=candles)
    exchange = Exchange(source, script.fault, speed=pace, host=host, port=port, terms=terms)
    ends_s = None if minutes is None else time.monotonic() + 60 * minutes
    with stop_requested() as stop, running(exchange), terminal.progress() as progress:
        url, names = f"ws://{exchange.address}", ",".join(source.products)
        warn(f"{names} at {url}/exchange and {url}/advanced")
        warn(f"to feed from it: barograph feed --venue simulated --url {url} --products {names}")
        while not stop.wait(_LOOK_S) and (ends_s is None or time.monotonic() < ends_s):
            exchange.check()
            progress.say(_state(exchange))
    answer(exchange.ledger.summary(), json, lambda: _state(exchange))


def _source(
    recording: Path | None, preset: str, products: str, seed: int, pace: float | None
) -> "Source":
    """The requested market, starting now, or a day ago if it runs faster than real time.

    The head start keeps its event times from overtaking its clients' clocks.
    """
    from barograph.errors import BadInputError
    from barograph.simulated import sources
    from barograph.simulated.law import PRESETS
    from barograph.simulated.market import SimulatedMarket
    from barograph.types import DAY_S, NS_PER_S

    if recording is not None:
        return sources.recorded(recording)
    if preset not in PRESETS:
        raise BadInputError(
            f"preset {preset}", "there is no such market", f"Use {' or '.join(PRESETS)}"
        )
    names = [name.strip() for name in products.split(",")]
    start_s = int(time.time()) - (DAY_S if pace is None or pace > 1 else 0)
    return sources.simulated(SimulatedMarket(PRESETS[preset], names, seed, start_s * NS_PER_S))


def _state(exchange: "Exchange") -> str:
    """One line with trades, frames, connections, requests and faults so far."""
    ledger = exchange.ledger
    lines = ledger.connections
    trades = sum(product.trades for product in ledger.products.values())
    frames, size = sum(line.frames for line in lines), sum(line.bytes for line in lines)
    deeds = len(ledger.deeds) + sum(len(line.deeds) for line in lines)
    there = sum(line.closed_ns is None for line in lines)
    return (
        f"{trades:,} trades made, {frames:,} frames ({size / 1e6:,.1f} MB) sent, "
        f"{there} of {len(lines)} connections open, {ledger.rest.total():,} REST requests, "
        f"{deeds} faults struck{', the market is over' if exchange.ended else ''}"
    )
