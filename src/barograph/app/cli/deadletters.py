"""Verbs on refused frames and records: deadletters list, show, redrive."""

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
    existing_log,
    read_bytes,
    settings_of,
)
from barograph.cases.named import case_named

if TYPE_CHECKING:
    from barograph.cases.contract import Stream

app = typer.Typer(
    help="List, show and re-drive refused frames and records.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TopicOption = Annotated[
    str | None,
    typer.Option("--topic", help="Dead-letter topic; default ticks.deadletter, or that of --case."),
]
CaseOption = Annotated[
    str | None, typer.Option("--case", help="Use the dead-letter topic of this case.")
]
FaultOption = Annotated[
    str | None, typer.Option("--fault", help="Only letters with this fault (see the vocabulary).")
]


@app.command("list")
def letters_list(
    topic: TopicOption = None,
    case: CaseOption = None,
    fault: FaultOption = None,
    limit: Annotated[
        int, typer.Option(min=0, max=MOST_RECORDS, help="How many of the newest letters to list.")
    ] = 20,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Count the dead letters by fault and list the newest."""
    from barograph.app.terminal import listing
    from barograph.pipeline import deadletters

    name, _ = _topic_and_stream(topic, case)
    with existing_log(settings_of(home), log) as opened:
        letters = deadletters.listed(opened, name, fault=fault, limit=limit)
    answer(letters, json, lambda: listing.letters(letters))


@app.command("show")
def letters_show(
    identity: Annotated[str, typer.Argument(help="The letter's identity, as printed by `list`.")],
    topic: TopicOption = None,
    case: CaseOption = None,
    full: Annotated[bool, typer.Option("--full", help="Do not shorten any field.")] = False,
    original: Annotated[
        bool, typer.Option("--original", help="Print only the original bytes, unchanged.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Show one letter in full, with the refused bytes."""
    from barograph.app.terminal import listing
    from barograph.errors import BadInputError
    from barograph.pipeline import deadletters

    if original and json:
        raise BadInputError("--original", "it prints bytes, no JSON", "Leave out --json")
    name, _ = _topic_and_stream(topic, case)
    with existing_log(settings_of(home), log) as opened:
        letter = deadletters.shown(opened, name, identity)
    if original:
        streams.write(letter.original)
        return
    answer(letter, json, lambda: listing.letter(letter, full=full))


@app.command("redrive")
def letters_redrive(
    identities: Annotated[
        list[str] | None,
        typer.Argument(help="Identities of the letters to re-drive, as printed by `list`."),
    ] = None,
    topic: TopicOption = None,
    case: CaseOption = None,
    fault: FaultOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All letters not re-driven yet.")
    ] = False,
    mended: Annotated[
        Path | None,
        typer.Option(
            help="File (- for standard input) to send in place of the original; for one letter."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Send letters back to the topics that refused them; each letter at most once."""
    import time

    from barograph.app.terminal import listing, terminal
    from barograph.errors import BadInputError
    from barograph.pipeline import deadletters

    named = tuple(identities or ())
    if bool(named) + (fault is not None) + everything != 1:
        raise BadInputError(
            "deadletters redrive",
            "no letters are selected",
            "Name letters, or give --fault or --all",
        )
    if mended is not None and len(named) != 1:
        raise BadInputError(f"--mended {mended}", "it needs exactly one letter", "Name that letter")
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
    """The dead-letter topic of the options, and the stream of the named case or None."""
    from barograph.log.topics import DEAD_LETTERS

    stream = case_named(case).stream if case else None
    return topic or (stream.dead_letters if stream else DEAD_LETTERS), stream
