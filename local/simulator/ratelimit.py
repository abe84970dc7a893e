"""Composio's rate limit: a fixed window for the whole organisation. Pure."""


class RateWindow:
    """Counts the calls of the current window (reference, Rate limits)."""

    def __init__(self) -> None:
        self._opened = float("-inf")
        self._used = 0

    def take(self, limit: int, window: float, now: float) -> tuple[int, float]:
        """Use one call.

        Args:
            limit: Calls per window.
            window: Length of the window in seconds.
            now: Monotonic seconds.

        Returns:
            How many calls remain (negative: this one is refused), and the seconds until the
            next window.
        """
        if now - self._opened >= window:
            self._opened, self._used = now, 0
        self._used += 1
        return limit - self._used, self._opened + window - now
