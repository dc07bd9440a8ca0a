"""Verbs on what could not be used: deadletters list, show, redrive."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli import streams
from barograph.app.cli.answers import answer
from barograph.app.cli.options import (
    MOST_RECORDS,
    HomeOption,
    JsonOption,
    LogOption,
    case_named,
    existing_log,
    read_bytes,
    settings_of,
)

if TYPE_CHECKING:
    from barograph.cases.contract import Stream

app = typer.Typer(
    help="What could not be used, and its second chance.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TopicOption = Annotated[
    str | None,
    typer.Option(
        "--topic", help="Of dead letters; ticks.deadletter where neither this nor a case is named."
    ),
]
CaseOption = Annotated[
    str | None, typer.Option("--case", help="The case whose dead letters are meant.")
]
FaultOption = Annotated[
    str | None, typer.Option("--fault", help="Only those of this fault (see the vocabulary).")
]


@app.command("list")
def letters_list(
    topic: TopicOption = None,
    case: CaseOption = None,
    fault: FaultOption = None,
    limit: Annotated[
        int, typer.Option(min=0, max=MOST_RECORDS, help="How many letters, the last ones.")
    ] = 20,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Counts by fault, then the letters."""
    from barograph.app.terminal import listing
    from barograph.pipeline import deadletters

    name, _ = _topic_and_stream(topic, case)
    with existing_log(settings_of(home), log) as opened:
        found = deadletters.listed(opened, name, fault=fault, limit=limit)
    answer(found, json, lambda: listing.letters(found))


@app.command("show")
def letters_show(
    identity: Annotated[str, typer.Argument(help="The letter's identity, as `list` says it.")],
    topic: TopicOption = None,
    case: CaseOption = None,
    full: Annotated[bool, typer.Option("--full", help="Cut nothing.")] = False,
    original: Annotated[
        bool, typer.Option("--original", help="The original bytes alone, as they are.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """All of one letter, with the bytes that were refused."""
    from barograph.app.terminal import listing
    from barograph.pipeline import deadletters

    name, _ = _topic_and_stream(topic, case)
    with existing_log(settings_of(home), log) as opened:
        found = deadletters.shown(opened, name, identity)
    if original:
        streams.write(found.original)
        return
    answer(found, json, lambda: listing.letter(found, full=full))


@app.command("redrive")
def letters_redrive(
    identities: Annotated[
        list[str] | None, typer.Argument(help="Letters to send again, as `list` says them.")
    ] = None,
    topic: TopicOption = None,
    case: CaseOption = None,
    fault: FaultOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not sent yet.")] = False,
    mended: Annotated[
        Path | None,
        typer.Option(help="A file (- is standard input) to send instead of the one letter's."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent.")] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Send letters once more to the topics that refused them; each goes once."""
    import time

    from barograph.app.terminal import listing, terminal
    from barograph.errors import BadInputError
    from barograph.pipeline import deadletters

    named = tuple(identities or ())
    if bool(named) + (fault is not None) + everything != 1:
        raise BadInputError(
            "deadletters redrive",
            "it needs to know which letters",
            "Name some, or give --fault, or --all",
        )
    if mended is not None and len(named) != 1:
        raise BadInputError(f"--mended {mended}", "it is for one letter", "Name that one")
    name, stream = _topic_and_stream(topic, case)
    choice = deadletters.Choice(
        identities=named, fault=fault, mended=None if mended is None else read_bytes(mended)
    )
    with existing_log(settings_of(home), log) as opened, terminal.progress() as progress:
        done = deadletters.redrive(
            opened,
            name,
            choice,
            clock_ns=time.time_ns,
            contract=stream.contract if stream else None,
            dry_run=dry_run,
            progress=progress.letters,
        )
    answer(done, json, lambda: listing.redriven(done))


def _topic_and_stream(topic: str | None, case: str | None) -> "tuple[str, Stream | None]":
    """The dead-letter topic that is meant, and the stream of the case that is named."""
    from barograph.log.topics import DEAD_LETTERS

    stream = case_named(case).stream if case else None
    return topic or (stream.dead_letters if stream else DEAD_LETTERS), stream
