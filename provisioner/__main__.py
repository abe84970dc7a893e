"""Where `provisioner` starts: it prepares the process before anything else is imported."""

import os
import sys

from provisioner import environment, interrupt


def main() -> None:
    """Run the command line, and end with its exit code."""
    interrupt.install()
    environment.prepare(os.environ)
    try:
        # Imported only now: some libraries read the environment as they are imported.
        from provisioner.main import app  # noqa: PLC0415

        app()
    except KeyboardInterrupt:
        sys.exit(interrupt.EXIT_CODE)


if __name__ == "__main__":
    main()
