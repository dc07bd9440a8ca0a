"""How long to wait before the next attempt: longer after each failure."""

from random import Random


class Backoff:
    """Exponential with a cap and full jitter: the n-th wait is even over [0, min(cap, first·2ⁿ)].

    Full jitter keeps many clients that lost one venue from coming back in one moment. Reset it
    when data arrive, not when the connection opens: otherwise a venue that accepts and closes is
    tried again without a pause.
    Source: Brooker (2015), Exponential Backoff and Jitter, AWS Architecture Blog.
    """

    def __init__(self, random: Random, *, first_s: float = 0.5, cap_s: float = 30.0) -> None:
        self._random, self._first_s, self._cap_s = random, first_s, cap_s
        self.tries = 0

    def next_s(self) -> float:
        """Count a failed attempt and return how long to wait before the next one, in seconds."""
        # 2¹⁰⁰ exceeds any cap and still fits a float.
        limit_s = min(self._cap_s, self._first_s * 2.0 ** min(self.tries, 100))
        self.tries += 1
        return self._random.uniform(0.0, limit_s)

    def reset(self) -> None:
        """Start over with the shortest wait: the connection delivers data."""
        self.tries = 0
