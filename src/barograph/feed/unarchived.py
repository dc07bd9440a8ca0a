"""What a feed writes that does not follow from its archive, kept while the log is away."""

from barograph.log.topics import STATUS
from barograph.types import Message

MAX_LETTERS = 10_000
MAX_BYTES = 8 << 20


class Unarchived:
    """The last status of each venue, and the newest dead letters within both bounds.

    `dropped` counts the letters that had no room. Not thread-safe.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._statuses: dict[str, Message] = {}
        self._letters: list[Message] = []
        self._bytes = 0

    def add(self, message: Message) -> None:
        """Keep a message; the oldest dead letters are dropped when a bound is exceeded."""
        if message.topic == STATUS:
            self._statuses[message.key] = message
            return
        self._letters.append(message)
        self._bytes += len(message.value)
        if len(self._letters) > MAX_LETTERS or self._bytes > MAX_BYTES:
            # Dropped by halves, so that a flood costs amortized constant time per letter.
            half = max(len(self._letters) // 2, 1)
            self._bytes -= sum(len(each.value) for each in self._letters[:half])
            del self._letters[:half]
            self.dropped += half

    def messages(self) -> list[Message]:
        """Return everything kept, dead letters first."""
        return [*self._letters, *self._statuses.values()]

    def clear(self) -> None:
        """Forget everything: the log has it."""
        self.dropped = self._bytes = 0
        self._statuses.clear()
        self._letters.clear()

    def warning(self) -> str:
        """Say in a line what was dropped."""
        return (
            f"{self.dropped:,} dead letters that came while the log could not be "
            "written are lost: they were no frames, so the archive has none of them"
        )
