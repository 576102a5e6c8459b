"""The command line: ``python -m mantlet secrets check | example | scan``, ``guard report``.

No command prints a value, or a traceback that could contain one. The exit code is 0 if all is well,
1 if a check fails or a scan finds something, and 2 if the command cannot do its work.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line with the arguments of the process."""
    try:
        from mantlet.cli.app import app  # requires an extra
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        print(f'{error.name} is needed for this: pip install "mantlet[cli]"', file=sys.stderr)  # noqa: T201  # the output of a command
        sys.exit(2)
    app(prog_name="python -m mantlet")
