"""Check that this commit can be released, and print the commands that release it.

    python scripts/release.py [--tag v0.1.0]

With ``--tag``, as the workflow of releases runs it, the commit has that tag already. Nothing is
tagged, pushed or uploaded. docs/releases.md has the whole checklist.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> str:
    """Return the output of a Git command."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments],  # noqa: S607  # the Git of whoever releases
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def problems(version: str, changelog: str, today: str) -> Iterator[str]:
    """Yield what of the texts keeps a version from being released.

    Args:
        version: the version in pyproject.toml.
        changelog: the text of CHANGELOG.md.
        today: the date, as in ``2026-01-31``.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        yield f"the version {version} is not one such as 1.2.3 or 1.2.3rc1"
    headings = re.findall(r"^## \[(.+?)\](?: - (.*))?$", changelog, re.MULTILINE)
    dates = dict(headings)
    if version not in dates:
        yield f"CHANGELOG.md has no entry for {version}"
    elif dates[version] != today:
        yield f"CHANGELOG.md dates {version} {dates[version] or 'nothing'}, and today is {today}"
    unreleased = changelog.partition("## [Unreleased]")[2].partition("\n## ")[0]
    if unreleased.strip():
        yield "CHANGELOG.md has changes under [Unreleased]"


def problems_of_the_tree(tag: str, *, is_tagged: bool) -> Iterator[str]:
    """Yield what of the working tree and its tags keeps the commit from being released."""
    if git("status", "--porcelain"):
        yield "files are not committed"
    if is_tagged:
        if tag not in git("tag", "--points-at", "HEAD").split():
            yield f"the commit does not have the tag {tag}, which its version asks for"
        return
    if git("branch", "--show-current") != "main":
        yield "this is not the branch main"
    if tag in git("tag").split():
        yield f"the tag {tag} exists already"


def main() -> int:
    """Print the problems, or the next commands; return 1 if there are problems."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tag", help="the tag that the commit has already")
    given = parser.parse_args().tag
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    tag = f"v{version}"
    found = list(
        problems(
            version,
            (ROOT / "CHANGELOG.md").read_text("utf-8"),
            git("log", "-1", "--format=%cs") if given else datetime.now(UTC).date().isoformat(),
        )
    )
    if given not in (None, tag):
        found.append(f"the tag is {given}, and the version {version}")
    found += problems_of_the_tree(tag, is_tagged=given is not None)
    for one in found:
        print(f"- {one}")
    if not found and given is None:
        print(f"git tag --sign {tag} --message 'Mantlet {version}'\ngit push origin main {tag}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
