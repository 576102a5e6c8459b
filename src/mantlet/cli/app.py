"""The commands and their options."""

import errno
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from mantlet.cli.findings import load_findings
from mantlet.cli.loading import UsageError, load_model, load_secrets
from mantlet.cli.output import (
    escape_unprintable,
    format_example_file,
    print_findings,
    print_scan_result,
    print_statuses,
    print_unreadable,
)
from mantlet.cli.scan import scan_files
from mantlet.secrets.report import SecretsError

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they would show the values of variables
    help="Mantlet's command line.",
)
secrets = typer.Typer(
    no_args_is_help=True,
    help="Check an app's secrets, write an example file, find leaked values in files.",
)
app.add_typer(secrets, name="secrets")
guard = typer.Typer(no_args_is_help=True, help="Show what a SchemaGuard refuses.")
app.add_typer(guard, name="guard")


@guard.callback()
def _guard() -> None:
    """Keep `report` a subcommand, although it is the only one."""


Target = Annotated[
    str, typer.Argument(help="A SecretModel class or a SecretLoader, as module:name.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="env, dotenv:PATH, files:DIRECTORY or systemd. Repeat it; the first match wins.",
    ),
]
AllowWorldReadable = Annotated[
    bool,
    typer.Option(
        "--allow-world-readable", help="Accept files that every user of the machine can read."
    ),
]


def _exit_with_code(command: Callable[..., int]) -> Callable[..., None]:
    """Exit with the code that a command returns, or print a `UsageError` and exit with 2."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except UsageError as error:
            typer.echo(escape_unprintable(str(error)), err=True)
            code = 2
        raise typer.Exit(code)

    return run


@secrets.command()
@_exit_with_code
def check(
    target: Target,
    source: Sources = None,
    allow_world_readable: AllowWorldReadable = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Load the secrets and print their status; exit with 1 if there is a problem."""
    try:
        loader = load_secrets(target, source or (), allow_world_readable=allow_world_readable)
        problems, report = loader.problems, loader.report
    except SecretsError as error:
        problems, report = error.problems, error.report
    if as_json:
        statuses = [asdict(status) for status in report]
        typer.echo(json.dumps({"secrets": statuses, "problems": problems}, indent=2))
    else:
        print_statuses(report, problems)
    return 1 if problems else 0


@secrets.command()
@_exit_with_code
def example(
    target: Target,
    output: Annotated[Path, typer.Option(help="The file to write; - for standard output.")] = Path(
        ".env.example"
    ),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> int:
    """Write a .env.example with one line per secret, and no values. No secret has to exist yet."""
    text = format_example_file(load_model(target))
    if str(output) == "-":
        typer.echo(text, nl=False)
        return 0
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{output} exists; use --force to overwrite it") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and not force:
            output.unlink(missing_ok=True)  # half of it
        raise UsageError(f"{output} can't be written: {error.strerror}") from None
    typer.echo(f"written to {escape_unprintable(str(output))}")
    return 0


@secrets.command()
@_exit_with_code
def scan(
    target: Target,
    paths: Annotated[list[Path], typer.Argument(help="Files, and directories of files.")],
    source: Sources = None,
    allow_world_readable: AllowWorldReadable = False,
) -> int:
    """Search files for the loaded values, in every encoding; exit with 1 if one is found."""
    try:
        loader = load_secrets(target, source or (), allow_world_readable=allow_world_readable)
    except SecretsError as error:
        print_statuses(error.report, error.problems, err=True)
        return 2
    result = scan_files(loader, paths, show_progress=sys.stderr.isatty())
    print_scan_result(result, loader.secret_masker.text)
    if result.leaks:
        return 1
    return 2 if result.unreadable else 0


@guard.command()
@_exit_with_code
def report(
    directory: Annotated[
        Path, typer.Argument(help="The directory that SchemaGuard(findings=...) names.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print the findings of all workers, added up; exit with 2 if a file can't be read."""
    result = load_findings(directory)
    if as_json:
        typer.echo(json.dumps({"findings": [one.as_json() for one in result.findings]}, indent=2))
    else:
        print_findings(result.findings)
    print_unreadable(result.unreadable)
    return 2 if result.unreadable else 0
