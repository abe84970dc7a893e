"""The version of this command line."""

from importlib import metadata

DISTRIBUTION = "mcp-instance-provisioner"


def version() -> str | None:
    """Return the version that is installed; None in a checkout that is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None
