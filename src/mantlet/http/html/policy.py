"""`HtmlPolicy`: an allow-list of HTML, checked for markup that no list may allow."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mantlet._internal.options import KnowsOptions
from mantlet.http.html.complexity import escape_bare_ampersands, is_too_complex

if TYPE_CHECKING:
    import nh3
    from markupsafe import Markup

__all__ = ["HtmlPolicy", "word_set"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


_REL: Final = "noopener noreferrer nofollow ugc"
_SCHEMES: Final = frozenset({"http", "https", "mailto"})


#: Elements that run scripts, load documents, restyle or redirect the page, or whose content is
#: parsed by special rules, so that a browser may read cleaned markup differently.
_NEVER_TAGS: Final = word_set(
    "applet base body embed frame frameset head html iframe link math meta noembed noframes "
    "noscript object param plaintext portal script style svg template textarea title xmp"
)
#: Elements that are removed with their content; the content of other elements stays.
_WITH_CONTENT: Final = word_set(
    "applet embed frameset iframe math noembed noframes noscript object plaintext script style svg "
    "template textarea title xmp"
)
_NEVER_ATTRIBUTES: Final = frozenset({"srcdoc", "style"})
#: Attributes with URLs that nh3 does not check.
_UNCHECKED: Final = word_set(
    "archive attributionsrc background cite classid codebase data dynsrc icon imagesrcset longdesc "
    "lowsrc manifest profile srcset usemap"
)
_NEVER_SCHEMES: Final = frozenset(
    {"blob", "data", "filesystem", "javascript", "livescript", "mocha", "vbscript", "view-source"}
)
_TAG: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9]*(?:[-:_][a-z0-9]+)*")
# RFC 3986, 3.1.
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")


@dataclass(frozen=True, slots=True)
class HtmlPolicy(KnowsOptions):
    """An allow-list of HTML. Other elements are removed; their text stays.

    Comments are removed, and ``<script>``, ``<style>`` and the like with all of their content.

    Attributes:
        tags: the elements, in lower case.
        attributes: the attributes of each element, and under ``"*"`` those of all elements.
        url_schemes: the schemes that URLs may have.
        relative_urls: whether URLs may be relative.
        link_rel: the ``rel`` of every link; None for none.

    Raises:
        ImportError: nh3 is not installed.
        TypeError: an option has a wrong type.
        ValueError: an option has a malformed name, or one that cannot be made safe.
    """

    tags: Iterable[str] = frozenset()
    attributes: Mapping[str, Iterable[str]] = field(default_factory=dict)
    url_schemes: Iterable[str] = _SCHEMES
    relative_urls: bool = True
    link_rel: str | None = _REL
    _cleaner: "nh3.Cleaner" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tags = _names("tags", self.tags, _TAG, "b")
        schemes = _names("url_schemes", self.url_schemes, _SCHEME, "https")
        if not isinstance(self.attributes, Mapping):
            raise TypeError(f'attributes must be like {{"a": {{"href"}}}}, not {self.attributes!r}')
        attributes = {
            tag: _names(f"attributes[{tag!r}]", names, _ATTRIBUTE, "title")
            for tag, names in self.attributes.items()
        }
        if not (self.link_rel is None or isinstance(self.link_rel, str)):
            raise TypeError(f'link_rel must be text such as "nofollow", not {self.link_rel!r}')
        _check_tags(tags)
        _check_attributes(tags, attributes, self.link_rel)
        _check_schemes(schemes)
        put = object.__setattr__
        put(self, "tags", tags)
        put(self, "attributes", MappingProxyType(attributes))
        put(self, "url_schemes", schemes)
        put(self, "_cleaner", self._make_cleaner(tags, attributes, schemes))

    def __hash__(self) -> int:
        return hash((self.tags, self.url_schemes, self.relative_urls, self.link_rel))

    def clean(self, fragment: str) -> "Markup":
        """Return a fragment of HTML with only the allowed markup.

        A fragment that would take a parser far longer than others of its size is returned as text.
        """
        from markupsafe import Markup, escape  # for HTML routes alone

        if is_too_complex(fragment):
            return escape(fragment)
        try:
            made = self._cleaner.clean(escape_bare_ampersands(fragment))
        except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot encode
            return self.clean(fragment.encode("utf-8", "replace").decode())
        return Markup(made)  # noqa: S704  # marking it as safe is the purpose

    def _make_cleaner(
        self,
        tags: frozenset[str],
        attributes: Mapping[str, frozenset[str]],
        schemes: frozenset[str],
    ) -> "nh3.Cleaner":
        try:
            import nh3  # an optional extra
        except ImportError as error:
            raise ImportError(
                'HTML is cleaned by nh3, which is not installed: pip install "mantlet[html]"'
            ) from error
        return nh3.Cleaner(
            tags=tags,
            clean_content_tags=_WITH_CONTENT,
            attributes=attributes,
            url_schemes=schemes,
            link_rel=self.link_rel,
            generic_attribute_prefixes=frozenset(),
            url_relative="pass_through" if self.relative_urls else "deny",
        )


# -- checks ---------------------------------------------------------------------------------------


def _names(option: str, names: Iterable[str], form: re.Pattern[str], right: str) -> frozenset[str]:
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise TypeError(f"{option} must be several names, such as {{{right!r}}}, not {names!r}")
    made = list(names)
    for name in made:
        if not isinstance(name, str):
            raise TypeError(f"{option} must have names such as {right!r}, not {name!r}")
        if not form.fullmatch(name):
            raise ValueError(
                f"{option} has {name!r}, which is not a valid name; write one such as {right!r}"
            )
    return frozenset(made)


def _check_tags(tags: Iterable[str]) -> None:
    never = sorted(_NEVER_TAGS.intersection(tags))
    if never:
        raise ValueError(
            f"tags has {never[0]!r}, which cannot be made safe: it runs scripts, loads documents "
            f'or is parsed by special rules; remove it, or write elements such as "p" and "b"'
        )


def _check_attributes(
    tags: Iterable[str], attributes: Mapping[str, Iterable[str]], link_rel: str | None
) -> None:
    for tag, names in attributes.items():
        if tag != "*" and tag not in tags:
            raise ValueError(
                f'attributes names {tag!r}, which is not in tags; add it there, or write "*"'
            )
        for name in sorted(names):
            if name.startswith("on") or name in _NEVER_ATTRIBUTES:
                raise ValueError(
                    f"attributes[{tag!r}] has {name!r}, which runs scripts or restyles the page; "
                    f'remove it, or write attributes such as "title"'
                )
            if name in _UNCHECKED:
                raise ValueError(
                    f"attributes[{tag!r}] has {name!r}, whose URLs url_schemes does not "
                    f'restrict; remove it, or write attributes such as "href" or "src"'
                )
            if name == "rel" and tag in ("a", "*") and link_rel is not None:
                raise ValueError(
                    f'attributes[{tag!r}] has "rel", which link_rel sets; remove it, or give '
                    f"link_rel=None"
                )


def _check_schemes(schemes: Iterable[str]) -> None:
    never = sorted(_NEVER_SCHEMES.intersection(schemes))
    if never:
        raise ValueError(
            f"url_schemes has {never[0]!r}, with which a link can run a script; remove it, or "
            f'write schemes such as "https"'
        )
