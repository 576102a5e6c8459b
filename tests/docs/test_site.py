"""The documentation site builds, is whole, loads nothing from other hosts, and can be searched."""

from __future__ import annotations

import fcntl
import importlib
import pkgutil
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest

import mantlet
from tests.docs.pages import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = DOCS.parent
#: Packages whose names are used by Mantlet itself.
INTERNAL: Final = {"cli", "defaults", "integrations"}
#: What a browser loads by itself, by element and attribute.
LOADED: Final = {
    ("audio", "src"), ("embed", "src"), ("iframe", "src"), ("img", "src"), ("img", "srcset"),
    ("object", "data"), ("script", "src"), ("source", "src"), ("source", "srcset"),
    ("video", "src"), ("use", "href"),
}  # fmt: skip
PACKAGES: Final = {
    "OutputSanitizer": "sanitize",
    "ErrorEnvelope": "errors",
    "Cors": "origins",
    "Hosts": "origins",
    "CrossOrigin": "origins",
    "Versions": "versions",
    "Authenticator": "authentication",
    "Authorizer": "authorization",
    "RateLimiter": "ratelimit",
    "SchemaGuard": "guard",
    "Idempotency": "idempotency",
    "UnitOfWork": "database",
    "Health": "health",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all processes of a test run, in strict mode."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder = shared / "site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "llms.txt").exists():  # written last
            command = [
                sys.executable,
                "-m",
                "mkdocs",
                "build",
                "--strict",
                "--site-dir",
                str(folder),
            ]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    """Collect the addresses that a page loads by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes that load something."""
        given = dict(attrs)
        rel = (given.get("rel") or "").split()
        for name, value in attrs:
            loads = (tag, name) in LOADED
            loads |= tag == "link" and name == "href" and not {"canonical", "prev", "next"} & {*rel}
            if loads and value:
                self.found.append(value)


@pytest.mark.unmeasured
def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    """Neither the pages, nor the style sheets that they load."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 80
    for page in pages:
        found = Loads(page.read_text("utf-8")).found
        assert found
        assert [one for one in found if re.match(r"(\w+:)?//", one)] == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\(\s*['\"]?(?:\w+:)?//[^)]*|@import[^;]*", sheet.read_text()) == []


def documented(site: Path) -> set[str]:
    """Return the names in the inventory, which mkdocstrings writes."""
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines()}


def public_names() -> Iterator[str]:
    """Yield the names that the package and its public packages list."""
    packages = {"mantlet": mantlet} | {
        f"mantlet.{one.name}": importlib.import_module(f"mantlet.{one.name}")
        for one in pkgutil.iter_modules(mantlet.__path__)
        if not one.name.startswith("_") and one.name not in INTERNAL
    }
    for package, module in packages.items():
        for name in getattr(module, "__all__", ()):
            if not isinstance(getattr(module, name), ModuleType):
                yield f"{package}.{name}"


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    """With its docstring."""
    names = set(public_names())
    assert len(names) > 200
    assert sorted(names - documented(site)) == []


def test_llms_txt_names_every_page(site: Path) -> None:
    """By links to files of the site; llmstxt.org describes the format."""
    text = (site / "llms.txt").read_text()
    assert text.startswith("# Mantlet\n\n> ")
    links = re.findall(
        r"^- \[[^\]]+\]\(https://mantlet\.readthedocs\.io/([^)]+)\)", text, re.MULTILINE
    )
    assert [one for one in links if not (site / one).exists()] == []
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    listed = {Path(one).with_suffix("").as_posix() for one in links}
    # Material writes README.md as the index of its folder.
    missing = {one.replace("README", "index") for one in pages} - {
        one.replace("README", "index") for one in listed
    }
    assert missing == {"index"}


def test_search_works_from_disk(site: Path) -> None:
    """In a browser without a network; the page has the results of a search."""
    chromium = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
        *("--proxy-server=127.0.0.1:1", "--virtual-time-budget=20000"),
    ]
    done = subprocess.run(
        [*chromium, f"file://{site}/index.html?q=token+bucket"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    results = done.stdout.partition('class="md-search-result__list"')[2]
    assert "rate-limiter.html" in results.partition("</ol>")[0]


def table_rows(page: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a page's tables by policy; an empty first cell continues the last."""
    policy = ""
    for line in (DOCS / "reference" / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and (name := cells[0].strip("`") or policy) in PACKAGES:
            policy = name
            yield policy, cells[1:]


def source(policy: str) -> str:
    """Return the source of a policy's package."""
    folder = ROOT / "src" / "mantlet" / PACKAGES[policy]
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")))


def test_headers_are_those_of_the_code() -> None:
    """Each header of the tables occurs in its policy."""
    rows = list(table_rows("headers.md"))
    assert {policy for policy, _ in rows} >= {"OutputSanitizer", "Cors", "RateLimiter"}
    for policy, cells in rows:
        text = source(policy).lower().replace("_", "-")
        if policy in ("Authorizer", "Hosts", "Health"):  # written by shared code
            text += (ROOT / "src/mantlet/core/problem.py").read_text().lower()
        for header in re.findall(r"`([A-Z][\w-]+)`", cells[0]):
            assert header.lower() in text, f"{policy}: {header}"


@pytest.mark.parametrize("policy", sorted(PACKAGES))
@pytest.mark.every_case
def test_statuses_are_those_of_the_code(policy: str) -> None:
    """Each status code of a problem that a policy's package makes is in its rows."""
    made = set(re.findall(r"\b(?:Fixed)?Problem\(\s*(4\d\d|5\d\d)\b", source(policy)))
    siblings = [name for name, package in PACKAGES.items() if package == PACKAGES[policy]]
    listed = {
        status
        for name, cells in table_rows("problems.md")
        if name in siblings
        for status in re.findall(r"\b[45]\d\d\b", cells[0])
    }
    assert made <= listed


def test_exceptions_are_those_of_the_code() -> None:
    """Each with its base classes, and each public one is in the table."""
    text = (DOCS / "reference" / "exceptions.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE))
    public: dict[str, type] = {}
    for name in public_names():
        module, _, attribute = name.rpartition(".")
        kind = getattr(importlib.import_module(module), attribute)
        if isinstance(kind, type) and issubclass(kind, Exception):
            public[attribute] = kind
    assert rows.keys() == public.keys()
    for name, bases in rows.items():
        assert re.findall(r"\w+", bases) == [base.__name__ for base in public[name].__bases__], name
