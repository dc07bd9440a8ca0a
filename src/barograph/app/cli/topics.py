"""Verbs on a log's topics: topics create, list, dump."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.app.cli.answers import answer, print_records
from barograph.app.cli.options import (
    MOST_RECORDS,
    MOST_SECONDS,
    HomeOption,
    JsonOption,
    LogOption,
    existing_log,
    settings_of,
)
from barograph.cases.named import CASES, case_named

if TYPE_CHECKING:
    from barograph.log import Topic

app = typer.Typer(
    help="Create, list and dump the topics of the log.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("create")
def topics_create(
    name: Annotated[
        str | None,
        typer.Argument(help="One topic; default all of the market and the built-in cases."),
    ] = None,
    case: Annotated[
        str | None, typer.Option("--case", help="Only the topics of this case.")
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Partitions of keyed topics; for new topics only."),
    ] = None,
    replication: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Copies of each record; for new topics only."),
    ] = None,
    retention_s: Annotated[
        int | None,
        typer.Option(
            min=-1,
            max=MOST_SECONDS,
            help="Age in seconds from which records may be deleted; -1: never.",
        ),
    ] = None,
    retention_bytes: Annotated[
        int | None,
        typer.Option(min=-1, max=2**53, help="Most bytes that a partition keeps; -1: no limit."),
    ] = None,
    compacted: Annotated[
        bool, typer.Option("--compacted", help="Keep only the last record of each key.")
    ] = False,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Create missing topics, or change the retention of existing ones."""
    import msgspec

    from barograph.app.terminal import listing
    from barograph.log import browse, open_log

    settings = settings_of(home)
    changes = _named(retention_s, retention_bytes, compacted=compacted)
    with closing(open_log(log or settings.home)) as opened:
        known = {topic.name: topic for topic in opened.topics()}
        wanted = _wanted(name, case, partitions or settings.partitions)
        for topic in wanted:
            there = known.get(topic.name)
            if there is not None and partitions is not None and name is not None:
                there = msgspec.structs.replace(there, partitions=partitions)
            opened.create(
                msgspec.structs.replace(there or topic, **changes),
                replication=None if there else replication,
            )
        names = {topic.name for topic in wanted}
        held = [each for each in browse.holdings(opened) if each.name in names]
    answer({"topics": held}, json, lambda: listing.topics(held))


@app.command("list")
def topics_list(home: HomeOption = None, log: LogOption = None, json: JsonOption = False) -> None:
    """List all topics with their records and retention."""
    from barograph.app.terminal import listing
    from barograph.log import browse

    with existing_log(settings_of(home), log) as opened:
        held = browse.holdings(opened)
    answer({"topics": held}, json, lambda: listing.topics(held))


@app.command("dump")
def topics_dump(
    name: Annotated[str, typer.Argument(help="The topic.")],
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_RECORDS, help="Most records to print.")
    ] = 10,
    start: Annotated[
        str, typer.Option("--from", help="oldest, newest (the last records) or an offset.")
    ] = "oldest",
    partition: Annotated[
        int | None, typer.Option(min=0, max=1023, help="Only this partition.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Only this key.")] = None,
    home: HomeOption = None,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Print records as JSON lines, in log order."""
    from barograph.errors import BadInputError
    from barograph.log import browse

    if start not in {"oldest", "newest"} and not start.isdecimal():
        raise BadInputError(
            f"--from {start}", "it is not a position in a topic", "Use oldest, newest or an offset"
        )
    with existing_log(settings_of(home), log) as opened:
        if start == "newest":
            records = iter(browse.last(opened, name, limit, partition=partition, key=key))
        else:
            offset = None if start == "oldest" else int(start)
            records = browse.first(opened, name, limit, offset=offset, partition=partition, key=key)
        print_records((browse.as_line(record) for record in records), json)


def _named(
    retention_s: int | None, retention_bytes: int | None, *, compacted: bool
) -> dict[str, int | bool | None]:
    """The retention options that were given, as fields of Topic; -1 becomes None, no limit."""
    limits = {"retention_s": retention_s, "retention_bytes": retention_bytes}
    changes: dict[str, int | bool | None] = {
        name: None if limit == -1 else limit for name, limit in limits.items() if limit is not None
    }
    if compacted:  # compaction excludes limits of age and size
        changes = dict.fromkeys(limits) | changes | {"compacted": True}
    return changes


def _wanted(name: str | None, case: str | None, partitions: int) -> "list[Topic]":
    """One topic, the topics of a case, or those of the market and all built-in cases."""
    from barograph.log import Topic
    from barograph.log.topics import market_topics
    from barograph.pipeline.case_topics import stream_topics

    streams = [case_named(each).stream for each in ([case] if case else CASES)]
    house = [] if case else market_topics(partitions)
    house += [topic for stream in streams if stream for topic in stream_topics(stream, partitions)]
    if name is None:
        return house
    return [topic for topic in house if topic.name == name] or [
        Topic(name=name, partitions=partitions)
    ]
