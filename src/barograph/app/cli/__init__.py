"""The command line. Heavy packages are imported inside the verb that needs them.

Exit codes: 0 done, 1 the answer is no (verify found a difference, a demo fell short), 2 the input
or the state does not allow it (one line says what to do), 130 interrupted, 143 terminated.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

try:
    import typer

    from barograph import environment
    from barograph.app.cli import (
        alerts,
        answers,
        archive,
        backup,
        candles,
        check,
        check_feature,
        dataset,
        deadletters,
        doctor,
        door,
        exchange,
        forms,
        live,
        market,
        models,
        predict,
        records,
        recover,
        reference,
        report,
        serve,
        service,
        stopping,
        streams,
        topics,
        training,
        verbs,
    )
    from barograph.app.cli.answers import say, unkept_kernels_warned_of
    from barograph.app.cli.stopping import interruptible
    from barograph.app.terminal import detail

    app = typer.Typer(
        name="barograph",
        help="Records markets without a break, and says when the storm comes.",
        cls=verbs.VerbGroup,
        add_completion=reference.COMPLETE in os.environ,  # a shell asks for words
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help answers twice as fast
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": verbs.WIDTH},
    )
    for theme in (
        market, forms, live, candles, serve, exchange, check, doctor, dataset, training, predict,
        records, recover, backup, service, check_feature, reference,
    ):  # fmt: skip
        app.add_typer(theme.app)
    app.add_typer(alerts.app, name="alerts")
    app.add_typer(models.app, name="models")
    app.add_typer(report.app, name="report")
    app.add_typer(topics.app, name="topics")
    app.add_typer(archive.app, name="archive")
    app.add_typer(deadletters.app, name="deadletters")
    verbs.shared_by_all(app)
except KeyboardInterrupt:  # no handler is installed yet
    sys.exit(130)


def main() -> None:
    """Entry point of the process: `run`, ended by SIGINT or SIGTERM within a few seconds."""
    with _one_line():
        streams.prepare()  # first: otherwise a pipe would reuse the descriptor of a closed stream
        with interruptible():
            run()


def run() -> None:
    """Run a verb. A refused input or state prints one line on standard error and exits with 2.

    With --json the refusal is also the object on standard output, unless an answer stands there.
    """
    environment.for_numpy()
    detail.choose(detail.Detail.SUMMARY)
    answers.begin(sys.argv[1:])
    # A shell that asks for words completes verbs, too.
    called = app if reference.COMPLETE in os.environ else verbs.narrowed(app, sys.argv[1:])
    with _one_line(), unkept_kernels_warned_of():
        sys.exit(called(prog_name="barograph", standalone_mode=False) or 0)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit:
        raise
    except typer.TyperException as error:
        answers.refuse(*door.usage_parts(error))
        sys.exit(error.exit_code)
    except BaseException as error:
        short = door.is_short_of_memory()
        if not (short or isinstance(error, door.Refusal)):
            raise
        answers.refuse(*door.parts(error))
        if short:  # a normal exit makes some libraries abort when memory is short
            stopping.leave_flushed(2)
        sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        from barograph import __version__

        say(__version__)
        raise typer.Exit


@app.callback()
def version_option(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", help="Print the version.", callback=_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Records markets without a break, and says when the storm comes."""
    del version
    door.check_memory(context.invoked_subcommand or "")
