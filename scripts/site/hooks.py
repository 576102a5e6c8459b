"""Hooks of the build of the documentation site; mkdocs.yml names this file."""

import ast
import inspect
import posixpath
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

import mantlet
import mantlet.authentication
import mantlet.database
import mantlet.secrets

_EXCEPTION = re.compile(r"^\| `(\w+)`", re.MULTILINE)
_EXCEPTIONS_PAGE = "reference/exceptions.md"
_LINK_UPWARDS = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)")
_OPTIONS_PAGE = "reference/options.md"
_SENTENCE_END = re.compile(r"\.(?=\s|$)")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Lead links to files outside of docs/ to the repository, and add generated parts of pages."""

    def absolute(match: re.Match[str]) -> str:
        folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        if target.startswith("docs/"):
            return match[0]
        return f"{match[1]}{config.repo_url}/blob/main/{target}"

    if page.is_homepage:
        page.meta["hide"] = ["navigation", "toc"]  # they would name this page only
    if page.file.src_uri == _EXCEPTIONS_PAGE:
        markdown = _EXCEPTION.sub(_link_to_exception, markdown)
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


def _link_to_exception(match: re.Match[str]) -> str:
    packages = (mantlet, mantlet.authentication, mantlet.database, mantlet.secrets)
    package = next(one.__name__ for one in packages if match[1] in one.__all__)
    return f"| [`{match[1]}`][{package}.{match[1]}]"


def _pages(section: Section) -> Iterator[Page]:
    for child in section.children:
        if isinstance(child, Section):
            yield from _pages(child)
        elif isinstance(child, Page):
            yield child


def _title(page: Page) -> str:
    """Return a page's title, after the name of the policy that it belongs to."""
    policy = page.parent.title if page.parent else ""
    if policy in mantlet.__all__ and policy != page.title:
        return f"{policy}: {page.title}"
    return str(page.title)


def _entry(page: Page, site: Path, site_url: str) -> str:
    """Return a line on a page; the target is its Markdown, except for pages made of docstrings."""
    text, url = page.markdown or "", page.url
    if "\n::: " not in text:
        url = page.file.src_uri
        (site / url).write_text(text, encoding="utf-8")
    return f"- [{_title(page)}]({site_url}{url})"


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
        yield f"\n## {name}\n\n[`{name}`][mantlet.{name}]\n"
        yield "| option | default | meaning |\n|---|---|---|"
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
    constants = _constants(inspect.getmodule(kind))
    return {name: constants.get(text, text) for name, text in texts.items()}


def _constants(module: ModuleType | None) -> dict[str, str]:
    """Return the values of a module's annotated constants, as they are written in the code."""
    return {
        ast.unparse(node.target): ast.unparse(node.value)
        for node in (ast.parse(inspect.getsource(module)).body if module else ())
        if isinstance(node, ast.AnnAssign) and node.value is not None
    }


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
