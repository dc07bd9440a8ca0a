"""Errors that a person meets. Each carries facts and says what to do; its docstring is its text."""

from barograph.foreign import one_line


class BarographError(Exception):
    """The root of all declared errors: doors print these as one line and leave with status 2.

    They keep text and facts on their way between processes.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))

    def __reduce__(self) -> tuple[object, ...]:
        """Made again without `__init__`, which takes facts and no text."""
        return _made_again, (type(self), self.args, vars(self))


def _made_again(
    kind: type[BarographError], args: tuple[object, ...], facts: dict[str, object]
) -> BarographError:
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


class LogError(BarographError):
    """What a log cannot do: any of the errors below that come from topics and their records."""


class OutageError(BarographError):
    """What keeps a log from being written and may pass: feeds and stages wait, and go on then."""

    path: str
    why: str


SAY_AGAIN_S = 600.0
"""What lasts is reported again after so long."""


class BadInputError(BarographError):
    """{what}: {why}. {cure}."""

    def __init__(self, what: str, why: str, cure: str) -> None:
        self.what, self.why, self.cure = what, why, cure
        super().__init__(f"{what}: {why}. {cure}.")


class FileChangedError(BarographError):
    """A file was changed, cut short or replaced while it was read."""

    def __init__(self, path: str, how: str) -> None:
        self.path, self.how = path, how
        super().__init__(
            f"{path} changed while it was read: {how}. What was written before stands, and the "
            "file does not count as done: restore it and run this again, it goes on from there."
        )


class OffsetGapError(LogError):
    """The records that a reader asked for are gone by retention."""

    def __init__(self, topic: str, partition: int, asked: int, oldest: int) -> None:
        self.topic, self.partition, self.asked, self.oldest = topic, partition, asked, oldest
        super().__init__(
            f"{topic}/{partition}: offset {asked} is gone, the oldest kept is {oldest}. "
            "Replay the recordings into a fresh --home (`barograph replay FILE… --home …`), and "
            "let the topic keep more."
        )


class OpenTransactionError(LogError):
    """A reader waits for a transaction whose writer neither ended it nor let it be undone.

    `cure` is the command that ends it, `log` the address of the log that it may leave incomplete.
    """

    def __init__(self, reader: str, partition: str, waited_s: float, cure: str, log: str) -> None:
        self.reader, self.partition, self.waited_s = reader, partition, waited_s
        self.cure, self.log = cure, log
        super().__init__(
            f"{reader}: a transaction in {partition} has been open for {waited_s:g} s, and nothing "
            f"behind it can be read. Start its writer again, or abort the transaction: `{cure}`. "
            "If its commit had been acknowledged, aborting undoes a part of it: where `barograph "
            f"verify --archive --log {log}` then finds a difference, make a new log from the "
            "archive (`barograph recover --log kafka://HOST:PORT/NEW_NAME`)."
        )


class TopicMadeAgainError(LogError):
    """A topic is not the one that a reader stands in: it was deleted and made again."""

    def __init__(self, reader: str, topic: str) -> None:
        self.reader, self.topic = reader, topic
        super().__init__(
            f"{reader}: topic {topic} was deleted and made again, and the place in it is lost. "
            "Start again: a group begins at the oldest record of the new topic."
        )


class FencedError(LogError):
    """A member that lost its partitions tried to commit; nothing of it was written."""

    def __init__(self, group: str, partitions: list[str]) -> None:
        self.group, self.partitions = group, partitions
        super().__init__(
            f"group {group}: {', '.join(partitions)} belongs to another worker now; nothing was "
            "committed. This worker slept too long or was replaced: poll again to rejoin."
        )


class ReplacedProducerError(LogError):
    """A producer wrote under a name that another one has taken since; nothing was written."""

    def __init__(self, producer: str) -> None:
        self.producer = producer
        super().__init__(
            f"producer {producer!r}: another process has taken over, or the log was out of reach "
            "for too long; nothing was written. Let one of the two run, and start it again."
        )


class UnknownTopicError(LogError):
    """A topic that nobody created."""

    def __init__(self, topic: str, known: list[str]) -> None:
        self.topic, self.known = topic, known
        create = f"create it (`barograph topics create {topic}`)"
        feed = "feed it first (`barograph replay FILE --home …`)"
        super().__init__(
            f"there is no topic {topic!r} here, only {', '.join(known) or 'none'}. "
            f"Check --home or --log, or {feed if topic.startswith('ticks.') else create}."
        )


class CorruptLogError(LogError):
    """The log's file is not a log, or is damaged beyond what a torn write leaves."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"{path} cannot be used as a log: {why}. Move it away and make it again: from the "
            "archive (`barograph recover`), or replay the recordings into a fresh --home."
        )


class LogUnavailableError(LogError, OutageError):
    """The log cannot be read or written just now; what was acknowledged is not touched."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path} cannot be used just now: {why}.")


class RemovedError(BarographError):
    """A file was removed, replaced or cut short while it was in use; nothing more goes into it."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"{path} {why} while it was in use: what was written since the last copy is not there. "
            "The next start names what only the archive has (`barograph recover` takes it in)."
        )


class DiskFullError(OutageError):
    """There is no room to write; what was acknowledged stands whole, nothing after it was taken."""

    def __init__(self, path: str, why: str, cure: str = "Free space there") -> None:
        self.path, self.why, self.cure = path, why, cure
        super().__init__(
            f"{path} is full ({why}): nothing was accepted after what stands there whole. {cure} "
            "and start again."
        )


class ExportRefusedError(BarographError):
    """An exported model does not say what the trained one says."""

    def __init__(self, model: str, worst: float, allowed: float, rows: int) -> None:
        self.model, self.worst, self.allowed, self.rows = model, worst, allowed, rows
        super().__init__(
            f"{model}: the ONNX export differs from the trained model by {worst:.2e} on {rows} "
            f"rows, allowed are {allowed:.0e}; it was not registered. Train another candidate."
        )


class ForeignFeaturesError(BarographError):
    """A model or dataset of `case` was made with another feature set."""

    def __init__(self, what: str, theirs: str, ours: str, case: str) -> None:
        self.what, self.theirs, self.ours, self.case = what, theirs, ours, case
        super().__init__(
            f"{what} was made with feature set {theirs}, this program computes {ours}. Train again "
            f"(`barograph dataset --case {case} && barograph train --case {case}`)."
        )


class ForeignStateError(BarographError):
    """A checkpoint is damaged, or has another layout than this version's."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"the checkpoint of {what} is damaged or was written by another version. A worker "
            "makes it again from the log: start one (`barograph featurize`, `barograph score`)."
        )


class TooLittleDataError(BarographError):
    """There is not enough usable history for what was asked."""

    def __init__(self, what: str, have: str, need: str, cure: str) -> None:
        self.what, self.have, self.need, self.cure = what, have, need, cure
        super().__init__(f"{what}: have {have}, need {need}. {cure}.")


class RegistryError(BarographError):
    """A model version is missing, damaged or not what it says."""

    def __init__(self, version: str, why: str, cure: str) -> None:
        self.version, self.why, self.cure = version, why, cure
        super().__init__(f"model {version}: {why}. {cure}.")


class UnsoundModelError(RegistryError):
    """A model version is whole, and nobody can ever score with it."""


class RegistryServerError(RegistryError):
    """The MLflow server that keeps the models gave no answer of use; nothing is said of a model."""

    def __init__(self, address: str, why: str, cure: str) -> None:
        self.version = self.address = address
        self.why, self.cure = why, cure
        BarographError.__init__(self, f"the registry at {address}: {why}. {cure}.")


class ObjectStoreError(BarographError):
    """A bucket or folder that history is moved to cannot be used, or what lies there is no use."""

    def __init__(self, address: str, why: str, cure: str) -> None:
        self.address, self.why, self.cure = address, why, cure
        super().__init__(f"{address}: {why}. {cure}.")


class MissingExtraError(BarographError):
    """What was asked for needs a package that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(
            f"{what} needs the extra {extra!r}. Install it from the clone: "
            f"`.venv/bin/uv pip install -e '.[{extra}]'`."
        )


class UnsupportedLogError(LogError):
    """An address that no log of this installation serves."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            f"{address!r} is not a log that can be opened; give a directory (--home), "
            "sqlite:///path/to/log.sqlite or kafka://host:port,host:port/namespace."
        )


def facts_and_cure(error: BaseException, sentence: str = "") -> tuple[str, str]:
    """The facts of an error, and its cure, which is never empty; each a sentence on one line.

    sentence: the error in words, where its own are not fit to be shown.
    """
    line = " ".join((sentence or str(error)).split())
    cure = " ".join(str(getattr(error, "cure", "")).split())
    if cure and line.endswith(f". {cure}."):
        return line.removesuffix(f" {cure}."), f"{cure}."
    facts, end, cure = line.partition("; " if isinstance(error, UnsupportedLogError) else ". ")
    if not cure:
        return line, "Try again."
    return f"{facts}{end.rstrip().replace(';', '.')}", cure[0].upper() + cure[1:]
