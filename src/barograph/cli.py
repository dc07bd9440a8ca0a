"""The command line: verbs of the domain. What is heavy is imported inside the verb that needs it.

Exit codes: 0 done, 1 the answer is no (verify found a difference, a demo fell short), 2 the input
or the state does not allow it (one line says what to do), 130 interrupted.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barograph.errors import BarographError

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import RenderableType

    from barograph.case import Case
    from barograph.settings import Settings
    from barograph.venues.continuity import Rules

app = typer.Typer(
    name="barograph",
    help="Records markets without a break, and says when the storm comes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers twice as fast
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="The registry's models.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models_app, name="models")

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Holds log, archive, datasets and registry.", show_default=False),
]
LogOption = Annotated[
    str | None,
    typer.Option("--log", help="Another log than the one in --home, e.g. sqlite:///path."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
CaseOption = Annotated[str, typer.Option("--case", help="Which case: spikes.")]


def main() -> None:
    """Run a verb; a declared error is one line on standard error and exit code 2."""
    try:
        app(standalone_mode=True)
    except BarographError as error:
        print(f"barograph: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


@app.callback()
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Records markets without a break, and says when the storm comes."""
    if version:
        from barograph import __version__

        print(__version__)
        raise typer.Exit


@app.command()
def demo(
    home: HomeOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Headless: print one JSON summary and leave.")
    ] = False,
    hours: Annotated[float, typer.Option(min=1.0, help="Hours of market history to make.")] = 12.0,
    seed: Annotated[int, typer.Option(help="Of market and training.")] = 1,
) -> None:
    """The whole at work on a simulated exchange, then live.

    Market history is made in seconds, a model trained and gated on it; then predictions stream
    into a live view until Ctrl-C.
    """
    from barograph import demo as show

    with _home_or_temporary(home) as place:
        done = show.run(_settings(place), hours=hours, seed=seed, check=check)
    if check:
        print(_json(done))
        raise typer.Exit(0 if done.ok else 1)


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings, .ndjson or .ndjson.gz.")],
    home: HomeOption = None,
    log: LogOption = None,
    speed: Annotated[str, typer.Option(help="max, or a factor of the recorded time.")] = "max",
    zone: Annotated[str, typer.Option(help="Of recorded times that name none.")] = "UTC",
    products: Annotated[str, typer.Option(help="Comma-separated; others are refused.")] = "",
    json: JsonOption = False,
) -> None:
    """Recordings through the pipeline, as if live.

    An interrupted replay goes on where it stopped; a file replayed before is skipped.
    """
    from barograph import feed, pipeline, terminal
    from barograph.log import open_log

    settings = _settings(home)
    address = log or settings.home
    pace, tzinfo, rules = feed.Pace(_speed(speed)), _zone(zone), _rules(settings, products)
    opened = open_log(address)
    frames = None
    try:
        frames = feed.Feed(opened, settings.home / "archive", rules, partitions=settings.partitions)
        frames.batch_lines = settings.batch_records
        running = pipeline.Pipeline(pipeline.stages(settings, address, _warn))
        with terminal.progress() as progress:

            def take() -> feed.Summary:
                fed = feed.replay(frames, files, pace, progress.bytes_and_ticks, tzinfo)
                progress.say("featurizing and scoring")
                return fed

            fed = pipeline.feed_through(running, take, live=speed != "max")
    finally:
        if frames is not None:
            frames.close()
        opened.close()
    answer = {"feed": fed, "featurizer": running.featurized, "scorer": running.scored}
    _answer(answer, json, lambda: terminal.replayed(fed, running))


@app.command()
def featurize(home: HomeOption = None, log: LogOption = None, json: JsonOption = False) -> None:
    """ticks.raw into ticks.features, until all is done."""
    from barograph import pipeline, terminal
    from barograph.worker import when_idle

    settings = _settings(home)
    address = _existing(log or settings.home)
    tally = pipeline.stages(settings, address, _warn).featurize(when_idle)
    _answer(tally, json, lambda: terminal.tally(tally, "records", "feature rows"))


@app.command()
def score(home: HomeOption = None, log: LogOption = None, json: JsonOption = False) -> None:
    """ticks.features into ticks.predictions, likewise."""
    from barograph import pipeline, terminal
    from barograph.worker import when_idle

    settings = _settings(home)
    address = _existing(log or settings.home)
    tally = pipeline.stages(settings, address, _warn).score(when_idle)
    _answer(tally, json, lambda: terminal.tally(tally, "feature rows", "predictions"))


@app.command()
def verify(home: HomeOption = None, log: LogOption = None, json: JsonOption = False) -> None:
    """Live features against a replay of the log.

    All features are computed again from ticks.raw and compared with those written, byte by byte;
    exit code 1 and the first difference otherwise.
    """
    from barograph import terminal
    from barograph.log import open_log
    from barograph.verify import verify as compare

    settings = _settings(home)
    opened = open_log(_existing(log or settings.home))
    try:
        with terminal.progress() as progress:
            found = compare(opened, progress=progress.rows)
    finally:
        opened.close()
    _answer(found, json, lambda: terminal.verified(found))
    raise typer.Exit(0 if found.same else 1)


@app.command()
def dataset(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings to take instead of the archive."),
    ] = None,
    home: HomeOption = None,
    case: CaseOption = "spikes",
    json: JsonOption = False,
) -> None:
    """The archive as feature rows with labels.

    With FILES: these recordings instead, as if they had been replayed; no log is needed.
    """
    from barograph import dataset as job
    from barograph import terminal

    settings = _settings(home)
    with terminal.progress() as progress:
        made = job.build(
            settings.home,
            _case(case),
            recordings=files or [],
            rules=_rules(settings),
            progress=progress.events,
        )
    _answer(made, json, lambda: terminal.dataset(made))


@app.command()
def train(
    home: HomeOption = None,
    case: CaseOption = "spikes",
    folds: Annotated[int | None, typer.Option(min=2, max=50, help="Of the walk forward.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything drawn by chance.")] = None,
    json: JsonOption = False,
) -> None:
    """Train, evaluate, register, and let the gate decide."""
    import time

    from barograph import terminal
    from barograph import train as job
    from barograph.dataset import read
    from barograph.registry import Registry

    settings = _settings(home)
    with terminal.progress() as progress:
        chosen = _case(case)
        how = job.Training(
            seed=settings.seed if seed is None else seed, folds=folds or settings.folds
        )
        report = job.train(
            chosen,
            read(settings.home, chosen),
            Registry(settings.home),
            how,
            clock_ns=time.time_ns,
            progress=progress.steps,
        )
    _answer(report, json, lambda: terminal.training(report))


@models_app.command("list")
def models_list(
    home: HomeOption = None, case: CaseOption = "spikes", json: JsonOption = False
) -> None:
    """All versions with their aliases and scores."""
    from barograph import terminal
    from barograph.registry import Registry

    versions = Registry(_settings(home).home).versions(case)
    _answer(versions, json, lambda: terminal.versions(case, versions))


@models_app.command("show")
def models_show(
    version: Annotated[str, typer.Argument(help="A number, candidate or champion.")] = "champion",
    home: HomeOption = None,
    case: CaseOption = "spikes",
) -> None:
    """All facts of one version, as JSON."""
    from barograph.registry import Registry

    which: Any = int(version) if version.isdigit() else version
    print(_json(Registry(_settings(home).home).load(case, which).facts))


@models_app.command("promote")
def models_promote(
    version: Annotated[int, typer.Argument(help="The version's number.")],
    reason: Annotated[str, typer.Option(help="For the audit.")] = "promoted by hand",
    home: HomeOption = None,
    case: CaseOption = "spikes",
) -> None:
    """Make a version champion; running scorers take it up within a second."""
    from barograph.registry import Registry

    Registry(_settings(home).home).promote(case, version, reason)
    print(f"{case}/{version} is champion")


@models_app.command("rollback")
def models_rollback(home: HomeOption = None, case: CaseOption = "spikes") -> None:
    """Make the champion before this one champion again."""
    from barograph.registry import Registry

    print(f"{case}/{Registry(_settings(home).home).rollback(case)} is champion again")


# What the verbs share.


def _settings(home: Path | None) -> "Settings":
    from tomllib import TOMLDecodeError

    from pydantic import ValidationError

    from barograph.errors import BadInputError
    from barograph.settings import Settings

    try:
        return Settings(home=home) if home is not None else Settings()
    except TOMLDecodeError as error:
        raise BadInputError(
            "barograph.toml", str(error), "Mend it; docs/barograph.toml is an example"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            f"setting {key}", first["msg"], "See docs/settings.md for each key"
        ) from error


@contextmanager
def _home_or_temporary(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="barograph-demo-") as place:
        yield Path(place)


def _rules(settings: "Settings", products: str = "") -> "Rules":
    from barograph.venues.continuity import Rules

    chosen = frozenset(name.strip() for name in products.split(",") if name.strip())
    return Rules(products=chosen or None, silence_timeout_s=settings.silence_timeout_s)


def _existing(address: Path | str) -> Path | str:
    """An address whose log exists, where that shows; a verb that only reads makes no new one."""
    from barograph.log import file_of

    file = file_of(address)
    if file is not None and not file.exists():
        from barograph.errors import BadInputError

        raise BadInputError(
            f"{address}", "there is no log", "Feed one first (`barograph replay FILE --home …`)"
        )
    return address


def _case(name: str) -> "Case":
    from barograph.cases.spikes import SPIKES
    from barograph.errors import BadInputError

    cases = {SPIKES.name: SPIKES}
    if name not in cases:
        raise BadInputError(f"case {name}", "there is no such case", f"Use {', '.join(cases)}")
    return cases[name]


def _speed(text: str) -> float | None:
    from barograph.errors import BadInputError

    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInputError(f"speed {text}", "it is no number", "Give a factor, or max") from None


def _zone(name: str) -> "tzinfo":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from barograph.errors import BadInputError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInputError(
            f"zone {name}", "there is no such time zone", "Name one as in Europe/Berlin"
        ) from None


def _warn(message: str) -> None:
    print(f"barograph: {message}", file=sys.stderr)


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


def _answer(value: object, json: bool, shown: Callable[[], "RenderableType"]) -> None:
    if json:
        print(_json(value))
        return
    from barograph import terminal

    terminal.show(shown())
