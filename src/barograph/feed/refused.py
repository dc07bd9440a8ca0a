"""What a live feed refused lately, beside what it took: nothing is refused in silence."""

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from barograph.types import SHOWN_DETAIL, DeadLetter, Fault

_ADVICE = {Fault.FUTURE: "; is this machine's clock slow?"}


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """How many events passed and how many messages were refused, and the first reason of those."""

    passed: int
    refused: int
    first: str = ""


class _Second(msgspec.Struct):
    second: int
    passed: int = 0
    faults: Counter[Fault] = msgspec.field(default_factory=Counter)
    first: tuple[Fault, str] | None = None


class Refusals:
    """Counts of the last `window_s` seconds. Times are of a monotonic clock, in seconds."""

    def __init__(self, window_s: int = 60) -> None:
        self.first: dict[str, str] = {}
        self._window_s = window_s
        self._seconds = deque[_Second]()
        self._warned: Fault | None = None

    def take(self, passed: int, letters: Iterable[DeadLetter], now_s: float) -> None:
        """Count the events and the dead letters of one entry."""
        second = self._now(int(now_s))
        second.passed += passed
        for letter in letters:
            second.faults[letter.fault] += 1
            detail = letter.detail[:SHOWN_DETAIL]
            second.first = second.first or (letter.fault, detail)
            self.first.setdefault(letter.fault, detail)

    def lately(self, now_s: float) -> Lately:
        """Return the counts of the window that ends now."""
        self._now(int(now_s))
        firsts = (each.first for each in self._seconds if each.first is not None)
        fault, detail = next(firsts, ("", ""))
        return Lately(
            passed=sum(each.passed for each in self._seconds),
            refused=sum(each.faults.total() for each in self._seconds),
            first=f"{fault}: {detail}" if fault else "",
        )

    def warning(self, now_s: float) -> str | None:
        """Return a warning when most is refused, for a new reason, or no longer; else None."""
        lately = self.lately(now_s)
        faults = sum((each.faults for each in self._seconds), Counter[Fault]())
        most = faults.most_common(1)[0][0] if lately.refused > lately.passed else None
        if most is self._warned:
            return None
        self._warned = most
        if most is None:
            return "most of what the venue sends passes again"
        total = lately.passed + lately.refused
        some = "all" if not lately.passed else f"{lately.refused:,}"
        return (
            f"{some} of {total:,} messages in the last {self._window_s} s were refused: "
            f"{lately.first}{_ADVICE.get(most, '')}"
        )

    def _now(self, second: int) -> _Second:
        while self._seconds and self._seconds[0].second <= second - self._window_s:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1].second != second:
            self._seconds.append(_Second(second))
        return self._seconds[-1]
