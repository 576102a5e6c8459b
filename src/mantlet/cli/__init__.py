"""The command: ``python -m mantlet.cli check | example | scan``.

It never shows a value, nor a traceback, which might have one. It ends with 0 where all is well, 1
where something is wrong or was found, and 2 where it could not do what it was asked for.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command with the process's arguments."""
    try:
        from mantlet.cli.app import app  # noqa: PLC0415  # it needs an extra
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        print(f'{error.name} is needed for this: pip install "mantlet[cli]"', file=sys.stderr)  # noqa: T201  # a command's own answer
        sys.exit(2)
    app()
