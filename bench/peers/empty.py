"""The empty function: what any event costs before anybody does anything with it."""


def lambda_handler(event: object, _: object) -> None:
    """Do nothing."""
