"""Build the sdist and the wheel, and use each with every extra alone, in clean environments.

    python scripts/release_check.py [EXTRA...]

Without arguments every extra is checked, and an installation without any. The packages are left in
``dist/``, the SBOM of an installation with all extras in ``sbom/``. Files that Git does not track
would become part of the sdist, so there may be none.
"""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
SBOM = ROOT / "sbom"
ENVIRONMENTS = ROOT / ".venvs" / "release"
SMOKE = ROOT / "scripts" / "smoke.py"
#: Extras for those who work on Mantlet.
DEVELOPERS = {"bench", "dev", "docs"}
#: An installation without extras.
NONE = "none"
#: The targets of links and pictures, in Markdown and in HTML.
LINK = re.compile(r'\]\(([^)\s]+)\)|<(?:a|img|source)\b[^>]*?(?:href|src|srcset)="([^"]+)"')


class Install(NamedTuple):
    """A package to install with one extra."""

    package: Path
    extra: str

    def __str__(self) -> str:
        return f"{'wheel' if self.package.suffix == '.whl' else 'sdist'}, {self.extra}"

    @property
    def environment(self) -> Path:
        """Where it is installed."""
        return ENVIRONMENTS / f"{self.package.suffix.removeprefix('.')}-{self.extra}"

    @property
    def python(self) -> Path:
        """The interpreter there."""
        windows = self.environment / "Scripts" / "python.exe"
        return windows if windows.exists() else self.environment / "bin" / "python"


def extras() -> list[str]:
    """Return the extras for users, and `NONE`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [NONE, *sorted(set(project["optional-dependencies"]) - DEVELOPERS)]


def build() -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it; return their paths."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST, ROOT)
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Check that the sdist has the repository's files, and the wheel the package's, and no others.

    Raises:
        SystemExit: a file is missing or should not be there.
    """
    tracked = set(run("git", "-C", ROOT, "ls-files").splitlines())
    with tarfile.open(sdist) as archive:
        files = {one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()}
    _compare("the sdist", files, tracked | {"PKG-INFO"})
    package = {name.removeprefix("src/") for name in tracked if name.startswith("src/mantlet/")}
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        names = set(archive_of_wheel.namelist())
    info = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    own = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")}
    _compare("the wheel", names, package | own | {f"{info}/entry_points.txt"} & names)


def _compare(what: str, found: set[str], expected: set[str]) -> None:
    if found != expected:
        missing, more = sorted(expected - found)[:5], sorted(found - expected)[:5]
        sys.exit(f"{what} lacks {missing} and has {more} besides")


def description(wheel: Path) -> str:
    """Return the text that an index shows."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return str(email.message_from_bytes(archive.read(name)).get_payload())


def relative_links(text: str) -> list[str]:
    """Return the targets of links and pictures that lead nowhere on an index."""
    targets = (first or second for first, second in LINK.findall(text))
    return [target for target in targets if not re.match(r"https?://|mailto:|#", target)]


def check_install(install: Install) -> bool:
    """Install a package with an extra in an environment of its own; return whether it works."""
    start = time.monotonic()
    try:
        _install_and_use(install)
    except subprocess.CalledProcessError:
        print(f"{install}: FAILED", flush=True)
        return False
    print(f"{install}: works, {time.monotonic() - start:.0f} s", flush=True)
    return True


def _install_and_use(install: Install) -> None:
    extra = "" if install.extra == NONE else f"[{install.extra}]"
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", install.environment)
    pip = (sys.executable, "-m", "pip", "--python", install.python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", f"{install.package}{extra}")
    run(install.python, "-I", "-W", "error", SMOKE, install.extra)


def write_sbom(install: Install) -> Path:
    """Write a CycloneDX document of an environment, which is checked against its schema."""
    SBOM.mkdir(exist_ok=True)
    path = SBOM / "mantlet.cdx.json"
    options = ("--pyproject", ROOT / "pyproject.toml", "--mc-type", "library")
    output = ("--output-reproducible", "--output-file", path)
    tool = (sys.executable, "-m", "cyclonedx_py", "environment")
    run(*tool, *options, *output, install.python)
    return path


def run(*command: str | Path) -> str:
    """Run a command, and return its output; show the output only if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, words)
    return done.stdout


def main() -> None:
    """Check the packages, and print a line for each installation."""
    names = sys.argv[1:] or extras()
    if unknown := set(names) - set(extras()):
        sys.exit(f"unknown extras: {', '.join(sorted(unknown))}")
    if changed := run("git", "-C", ROOT, "status", "--porcelain").splitlines():
        sys.exit(f"commit or remove these first: {changed[:5]}")
    sdist, wheel = build()
    check_contents(sdist, wheel)
    if links := relative_links(description(wheel)):
        sys.exit(f"links of README.md that lead nowhere on an index: {links}")
    installs = [Install(package, name) for package in (wheel, sdist) for name in names]
    with ThreadPoolExecutor(2) as pool:
        if not all(list(pool.map(check_install, installs))):
            sys.exit("the packages do not work with every extra")
    if "all" in names:
        print(write_sbom(Install(wheel, "all")).relative_to(ROOT))
    shutil.rmtree(ENVIRONMENTS)


if __name__ == "__main__":
    main()
