"""The commands, and their options."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from mantlet.cli.example import example_file
from mantlet.cli.search import search
from mantlet.cli.shown import plain, show_findings, show_report
from mantlet.cli.target import UsageError, loader_of, model_of
from mantlet.secrets.report import SecretsError

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # which would show variables
    help="Check an app's secrets, write an example of them, find them in files.",
)

Target = Annotated[str, typer.Argument(help="A class made of SecretModel, or a SecretLoader.")]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="env, dotenv:PATH, files:DIRECTORY or systemd; in their order."),
]
Readable = Annotated[bool, typer.Option(help="Take files that every user may read.")]


def _told(command: Callable[..., int]) -> Callable[..., None]:
    """Have a command end with what it returns, and say in a line what it can't do."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except UsageError as error:
            typer.echo(plain(str(error)), err=True)
            code = 2
        raise typer.Exit(code)

    return run


@app.command()
@_told
def check(
    target: Target,
    source: Sources = None,
    allow_world_readable: Readable = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Load the secrets, and show what was found of each; 1 if something is wrong."""
    problems: tuple[str, ...] = ()
    try:
        loader = loader_of(target, source or (), allow_world_readable=allow_world_readable)
        problems, report = loader.problems, loader.report
    except SecretsError as error:
        problems, report = error.problems, error.report
    if as_json:
        entries = [asdict(entry) for entry in report]
        typer.echo(json.dumps({"secrets": entries, "problems": problems}, indent=2))
    else:
        show_report(report, problems)
    return 1 if problems else 0


@app.command()
@_told
def example(
    target: Target,
    output: Annotated[Path, typer.Option(help="Where to; - for standard output.")] = Path(
        ".env.example"
    ),
    force: Annotated[bool, typer.Option(help="Take the place of a file that is there.")] = False,
) -> int:
    """Write a .env.example with a line for each secret, and no value."""
    text = example_file(model_of(target))
    if str(output) == "-":
        typer.echo(text, nl=False)
        return 0
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{output} is there; --force takes its place") from None
    except OSError as error:
        raise UsageError(f"{output} can't be written: {error.strerror}") from None
    typer.echo(f"written to {plain(str(output))}")
    return 0


@app.command()
@_told
def scan(
    target: Target,
    paths: Annotated[list[Path], typer.Argument(help="Files, and directories of files.")],
    source: Sources = None,
    allow_world_readable: Readable = False,
) -> int:
    """Find the loaded values, in any form, in files; 1 if one is there."""
    try:
        loader = loader_of(target, source or (), allow_world_readable=allow_world_readable)
    except SecretsError as error:
        show_report(error.report, error.problems, err=True)
        return 2
    found = search(loader, paths, shows_progress=sys.stderr.isatty())
    show_findings(found)
    if found.findings:
        return 1
    return 2 if found.unread else 0
