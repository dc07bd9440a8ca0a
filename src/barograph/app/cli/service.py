"""The verb that makes a machine run Barograph by itself: service."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from barograph.app.cli.answers import answer
from barograph.app.cli.live import ProductsOption, VenueOption
from barograph.app.cli.options import HomeOption, JsonOption, settings_of
from barograph.app.web.limits import DEFAULT_PORT

app = typer.Typer()


@app.command()
def service(
    directory: Annotated[Path, typer.Argument(help="Folder of the files.")],
    venue: VenueOption = "coinbase",
    products: ProductsOption = "BTC-USD,ETH-USD",
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of the web page.")
    ] = DEFAULT_PORT,
    user: Annotated[
        str | None, typer.Option("--user", show_default=False, help="Who it runs as; default: you.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write files for systemd, launchd, logrotate and cron.

    They run `barograph up` at boot, from the working directory, and restart it where it fails or
    hears nothing for three minutes; cron makes a backup each night. Nothing is started.
    """
    from barograph.app.runs.service import ServicePlan, program, write
    from barograph.app.terminal import findings

    place = settings_of(home).home.absolute()
    words = ("--venue", venue, "--products", products, "--port", str(port), "--home", str(place))
    plan = ServicePlan(
        program=program(),
        words=words,
        home=place,
        folder=Path.cwd(),
        user=user or getpass.getuser(),
    )
    done = write(directory, plan)
    answer(done, json, lambda: findings.service(done))
