"""Run the test suites of real apps and frameworks, bare and with every app wrapped.

``python scripts/test_apps.py [NAME...]``. Each suite comes from its published source distribution,
or from the project's repository where that has no tests, and runs in an environment of its own
below ``.venvs/apps``. A test that passes bare and fails wrapped must be listed with a reason in
docs/compatibility.md; one that is not is printed, and makes the exit status 1.

``--source NAME=DIRECTORY`` takes a suite's source from a directory.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".venvs" / "apps"
PAGE: Final = ROOT / "docs" / "compatibility.md"


@dataclass(frozen=True)
class Suite:
    """A test suite.

    Attributes:
        name: the project, as it is listed.
        kind: how its apps are wrapped, in wrap_suite.py.
        package: its source distribution on PyPI; "" if that has no tests.
        repository: where its source is cloned from otherwise.
        tag: the version to clone.
        folder: the folder to run pytest in, below the source.
        needs: packages that the tests need, besides the project itself.
        arguments: further arguments of pytest.
        environ: environment variables that the tests need.
    """

    name: str
    kind: str
    package: str = ""
    repository: str = ""
    tag: str = ""
    folder: str = "."
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)


SUITES: Final = (
    Suite(
        "flaskr",
        "flask",
        "flask",
        folder="examples/tutorial",
        needs=("pytest<9", "./examples/tutorial"),
    ),
    Suite("Flask", "flask", "flask", needs=("pytest<9", "asgiref", "python-dotenv", "greenlet")),
    Suite(
        "Starlette",
        "starlette",
        "starlette",
        needs=("pytest", ".[full]", "httpx2[zstd]", "opentelemetry-sdk", "trio"),
    ),
    Suite(
        "Werkzeug",
        "werkzeug",
        "werkzeug",
        needs=("pytest<9", "pytest-timeout", "ephemeral-port-reserve", "watchdog", "cryptography"),
        # Its servers run apps of their own, in processes where nothing is wrapped.
        arguments=("--ignore=tests/test_serving.py",),
    ),
    Suite(
        "Quart",
        "quart",
        repository="https://github.com/pallets/quart",
        tag="0.21.0",
        needs=("pytest<9", "hypothesis", "python-dotenv", "pytest-asyncio", "pytest-cov", "httpx"),
    ),
    Suite(
        "Datasette",
        "datasette",
        repository="https://github.com/simonw/datasette",
        tag="0.65.2",
        needs=("pytest<9", ".[test]"),
        arguments=("-o", "asyncio_default_fixture_loop_scope=function"),
    ),
    Suite(
        "healthchecks",
        "django",
        repository="https://github.com/healthchecks/healthchecks",
        tag="v3.13",
        needs=("-r", "requirements.txt", "pytest<9", "pytest-django"),
        # Without a configuration of its own, pytest would take Mantlet's.
        arguments=(f"-c{os.devnull}", "--rootdir=.", "--ds=hc.settings", "hc"),
        environ={"SECRET_KEY": "of the suite", "DEBUG": "True"},
    ),
)


def main() -> int:
    """Run the suites; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="the suites to run; all of them if none is named")
    parser.add_argument("--source", action="append", default=[], metavar="NAME=DIRECTORY")
    options = parser.parse_args()
    sources = dict(one.split("=", 1) for one in options.source)
    listed = PAGE.read_text() if PAGE.exists() else ""
    failed = False
    for suite in SUITES:
        if options.names and suite.name not in options.names:
            continue
        source = Path(sources[suite.name]) if suite.name in sources else _source(suite)
        python = _environment(suite, source)
        bare = _run(suite, source, python, wrapped=False)
        wrapped = _run(suite, source, python, wrapped=True)
        passed = {test for test, ok in bare.items() if ok}
        lost = sorted(test for test in passed if not wrapped.get(test, False))
        unlisted = [test for test in lost if f"`{test.partition('[')[0]}`" not in listed]
        print(
            f"{suite.name}: {len(bare)} tests, {len(bare) - len(passed)} fail bare,"
            f" {len(lost)} fail wrapped alone, {len(unlisted)} of them not in {PAGE.name}"
        )
        for test in lost:
            print(f"  {'NEW   ' if test in unlisted else 'listed'} {test}")
        failed = failed or bool(unlisted)
    return int(failed)


def _source(suite: Suite) -> Path:
    """Return the folder of a suite's source, which is fetched at the first run."""
    folder = FOLDER / suite.name / "source"
    if not folder.exists():
        parent = folder.parent
        parent.mkdir(parents=True, exist_ok=True)
        if suite.package:
            _call(
                "pip",
                "download",
                "--no-deps",
                "--no-binary",
                suite.package,
                suite.package,
                cwd=parent,
            )
            (archive,) = parent.glob("*.tar.gz")
            with tarfile.open(archive) as files:
                files.extractall(parent, filter="data")
            (unpacked,) = (one.parent for one in parent.glob("*/PKG-INFO"))
            unpacked.rename(folder)
        else:
            subprocess.run(
                [
                    shutil.which("git") or "git",
                    "clone",
                    "--depth=1",
                    f"--branch={suite.tag}",
                    suite.repository,
                    str(folder),
                ],
                check=True,
            )
    return folder


def _environment(suite: Suite, source: Path) -> Path:
    """Return the Python of a suite's environment, which is made at the first run."""
    folder = FOLDER / suite.name / "venv"
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        project = () if "requirements.txt" in suite.needs else (".",)
        needs = (*project, *suite.needs, "--editable", str(ROOT))
        _call("pip", "install", *needs, python=python, cwd=source)
        ready.touch()
    return python


def _run(suite: Suite, source: Path, python: Path, *, wrapped: bool) -> dict[str, bool]:
    """Run a suite; return for each test whether it passed."""
    results = FOLDER / suite.name / ("wrapped.json" if wrapped else "bare.json")
    results.unlink(missing_ok=True)
    environ = os.environ | suite.environ
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT / "scripts")])
    environ["MANTLET_SUITE"] = suite.kind if wrapped else ""
    environ["MANTLET_RESULTS"] = str(results)
    options = (
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "wrap_suite",
        "--continue-on-collection-errors",
    )
    with results.with_suffix(".log").open("w") as log:
        subprocess.run(
            [str(python), "-m", "pytest", *options, *suite.arguments],
            cwd=source / suite.folder,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not results.exists():
        raise SystemExit(f"{suite.name} did not run: see {results.with_suffix('.log')}")
    found: dict[str, bool] = json.loads(results.read_text())
    return found


def _call(module: str, *arguments: str, cwd: Path, python: Path | str = sys.executable) -> None:
    subprocess.run([str(python), "-m", module, *arguments, "--quiet"], cwd=cwd, check=True)


if __name__ == "__main__":
    sys.exit(main())
