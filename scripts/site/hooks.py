"""Hooks of the build of the documentation site; mkdocs.yml names this file."""

import ast
import inspect
import posixpath
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

import mantlet

_LINK_UPWARDS = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)")
_OPTIONS_PAGE = "reference/options.md"
_SENTENCE_END = re.compile(r"\.(?=\s|$)")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Lead links to files outside of docs/ to the repository, and add the tables of options."""

    def absolute(match: re.Match[str]) -> str:
        folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        if target.startswith("docs/"):
            return match[0]
        return f"{match[1]}{config.repo_url}/blob/main/{target}"

    if page.file.src_uri == _OPTIONS_PAGE:
        markdown = re.sub(r"<!--.*?-->", "", markdown) + "\n".join(_option_tables())
    return _LINK_UPWARDS.sub(absolute, markdown)


def on_nav(nav: Navigation, *, config: MkDocsConfig, **_: object) -> None:
    """Keep the navigation for `on_post_build`."""
    config.extra["navigation"] = nav


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write llms.txt (llmstxt.org), and beside each page its Markdown."""
    nav: Navigation = config.extra["navigation"]
    site = Path(config.site_dir)
    lines = [f"# {config.site_name}", "", f"> {config.site_description}"]
    for section in nav.items:
        if isinstance(section, Section):
            lines += ["", f"## {section.title}", ""]
            lines += [_entry(page, site, config.site_url or "") for page in _pages(section)]
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pages(section: Section) -> Iterator[Page]:
    for child in section.children:
        if isinstance(child, Section):
            yield from _pages(child)
        elif isinstance(child, Page):
            yield child


def _entry(page: Page, site: Path, site_url: str) -> str:
    """Return a line on a page; the target is its Markdown, except for pages made of docstrings."""
    text, url = page.markdown or "", page.url
    if "\n::: " not in text:
        url = page.file.src_uri
        (site / url).write_text(text, encoding="utf-8")
    return f"- [{page.title}]({site_url}{url})"


def _option_tables() -> Iterator[str]:
    """Return the options of each policy with their defaults, the outermost policy first."""
    kinds = [getattr(mantlet, name) for name in mantlet.__all__]
    policies = [
        kind
        for kind in kinds
        if inspect.isclass(kind) and issubclass(kind, mantlet.Policy) and kind is not mantlet.Policy
    ]
    for kind in sorted(policies, key=lambda kind: (kind.position or 999, kind.__name__)):
        name = kind.__name__
        yield f"\n## {name}\n\n[`{name}`][mantlet.{name}]\n\n| option | default | |\n|---|---|---|"
        defaults, descriptions = _defaults(kind), _descriptions(kind)
        for option in inspect.signature(kind).parameters:
            default = f"`{defaults[option]}`" if option in defaults else ""
            yield f"| `{option}` | {default} | {descriptions[option]} |"


def _defaults(kind: type) -> dict[str, str]:
    """Return the default of each option that has one, as it is written in the code."""
    source = textwrap.dedent(inspect.getsource(kind.__dict__["__init__"]))
    arguments = next(
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.arguments)
    )
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(reversed(arguments.args), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    texts = {option.arg: ast.unparse(node) for option, node in pairs if node is not None}
    for name, option in inspect.signature(kind).parameters.items():
        if texts.get(name, "").startswith("_"):  # a private constant
            texts[name] = f"{type(option.default).__name__}()"
    return texts


def _descriptions(kind: type) -> dict[str, str]:
    """Return the first sentence on each option of a class."""
    docstring = griffe.Docstring(
        inspect.getdoc(kind) or "", parser="google", parser_options={"warn_missing_types": False}
    )
    return {
        option.name: _SENTENCE_END.split(option.description, maxsplit=1)[0]
        .replace("\n", " ")
        .replace("|", "\\|")
        for part in docstring.parse()
        if isinstance(part, griffe.DocstringSectionParameters)
        for option in part.value
    }
