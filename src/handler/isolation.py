"""One of several never stops the others."""


class Isolation:
    """Keeps what a `with` block raises, so that other blocks run all the same."""

    def __init__(self) -> None:
        self._first: Exception | None = None

    def end(self) -> None:
        """Raise the first exception that was kept."""
        if self._first:
            raise self._first

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self._first = self._first or error
        return True
