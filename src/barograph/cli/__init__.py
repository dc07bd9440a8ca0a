"""The command line: verbs of the domain. What is heavy is imported inside the verb that needs it.

Exit codes: 0 done, 1 the answer is no (verify found a difference, a demo fell short), 2 the input
or the state does not allow it (one line says what to do), 130 interrupted, 143 terminated.
"""

import sys
from typing import Annotated

try:
    import typer

    from barograph.cli import (
        answers,
        archive,
        check,
        deadletters,
        exchange,
        live,
        market,
        models,
        records,
        recover,
        report,
        topics,
        training,
    )
    from barograph.cli.stopping import interruptible
    from barograph.errors import BarographError
except KeyboardInterrupt:  # there is nothing yet that would take it
    sys.exit(130)

app = typer.Typer(
    name="barograph",
    help="Records markets without a break, and says when the storm comes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers twice as fast
    context_settings={"help_option_names": ["-h", "--help"]},
)
for theme in (market, live, exchange, check, training, records, recover):
    app.add_typer(theme.app)
app.add_typer(models.app, name="models")
app.add_typer(report.app, name="report")
app.add_typer(topics.app, name="topics")
app.add_typer(archive.app, name="archive")
app.add_typer(deadletters.app, name="deadletters")


def main() -> None:
    """Run a verb as a process: as `run` does, and whatever it does ends soon after a signal."""
    try:
        with interruptible():
            run()
    except KeyboardInterrupt:  # it came before anybody waited for it
        sys.exit(130)


def run() -> None:
    """Run a verb; a declared error is one line on standard error and exit code 2."""
    try:
        app(standalone_mode=True)
    except BarographError as error:
        answers.warn(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        from barograph import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def version_option(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Records markets without a break, and says when the storm comes."""
