"""A problem in every form, through the whole policy, whatever texts it is made of."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup, escape

from mantlet import ErrorEnvelope, Policy, Problem, RateLimiter, Request, Response
from mantlet.errors.rendering import HTML, JSON, OFFERED, PROBLEM_JSON, PROBLEM_XML, TEXT
from tests.drive import ADAPTERS, Adapter, Answer, both_adapters, hello
from tests.errors.test_mapping import raising

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "{urn:ietf:rfc:7807}"
ID = "3f0d2a9c-7d1c-4d1e-9a52-7a4c1d8f8b1e"
#: What each form is sent as.
CONTENT_TYPES = {
    PROBLEM_JSON: "application/problem+json",
    JSON: "application/problem+json",
    PROBLEM_XML: "application/problem+xml",
    HTML: "text/html; charset=utf-8",
    TEXT: "text/plain; charset=utf-8",
}
SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "minLength": 1},
        "title": {"type": "string", "minLength": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "minLength": 1},
        "request_id": {"type": "string", "pattern": "^[A-Za-z0-9._~+/=:@-]{1,128}$"},
    },
    "required": ["type", "title", "status", "instance", "request_id"],
}

SOLD = Problem(
    409,
    type="https://example.com/problems/sold",
    title="Sold & gone",
    detail='Somebody was "faster" <b>than</b> you.',
    instance="/orders/17?a=1&b=2",
    headers={"Retry-After": "60", "X-Own": "yes"},
    extensions={
        "left": 0,
        "price": 12.5,
        "again": True,
        "never": False,
        "nothing": None,
        "names": ["a<b", "c"],
        "nested": {"deep": {"list": [1, [2, {"three": 3}], []]}, "empty": {}},
    },
)

every_form = pytest.mark.parametrize("form", OFFERED)


def stated(
    adapter: Adapter, problem: BaseException, form: str, method: str = "GET", **options: Any
) -> Answer:
    """Return the answer to a client that takes one form alone."""
    stack = adapter.wrap(raising(problem), ErrorEnvelope(**options))
    answer = adapter.drive(stack, method, headers=[("Accept", form), ("X-Request-ID", ID)])
    assert answer.error is None
    assert answer.get("Content-Length") == str(len(answer.body)) or method == "HEAD"
    return answer


class Page(HTMLParser):
    """A page as a browser would see it.

    Attributes:
        elements: the elements, in their order, each with its attributes.
        texts: what each kind of element holds.
        left: the elements that were left open.
        declarations: what stood in ``<!...>``.
    """

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.left: list[str] = []
        self.declarations: list[str] = []
        self.comments: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.left.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.left, f"</{tag}> ends nothing"
        assert self.left.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.left:
            self.texts[tag][-1] += data

    def handle_decl(self, decl: str) -> None:
        self.declarations.append(decl)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def tags(self) -> list[str]:
        """The names of the elements."""
        return [tag for tag, _ in self.elements]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(answer: Answer) -> Page:
    """Return an answer's page, which is well formed."""
    page = Page(answer.body.decode())
    assert page.left == []
    return page


def problem_element(answer: Answer) -> ET.Element:
    """Return the root of an answer in XML."""
    root = ET.fromstring(answer.body)
    assert root.tag == f"{NAMESPACE}problem"
    return root


def as_members(element: ET.Element) -> Any:
    """Return what an element says: the texts of members by name, or of an array."""
    children = list(element)
    if not children:
        return element.text or ""
    assert not (element.text or "").strip()
    if all(child.tag == f"{NAMESPACE}i" for child in children):
        return [as_members(child) for child in children]
    return {child.tag.removeprefix(NAMESPACE): as_members(child) for child in children}


# -- each form ------------------------------------------------------------------------------------


@both_adapters
@every_form
def test_each_form_says_what_it_is_and_how_long(adapter: Adapter, form: str) -> None:
    """With the problem's own fields, and for no cache to keep."""
    answer = stated(adapter, SOLD, form)
    assert answer.status == 409
    assert answer.get("Content-Type") == CONTENT_TYPES[form]
    assert answer.get("Content-Length") == str(len(answer.body))
    assert answer.get("Cache-Control") == "no-store"
    assert answer.get("Retry-After") == "60"
    assert answer.get("X-Own") == "yes"
    assert answer.get("X-Request-ID") == ID
    answer.body.decode()


@both_adapters
@every_form
def test_head_has_the_fields_of_get_and_no_body(adapter: Adapter, form: str) -> None:
    """RFC 9110, 9.3.2."""
    get, head = stated(adapter, SOLD, form), stated(adapter, SOLD, form, "HEAD")
    assert (head.status, head.body) == (409, b"")
    assert sorted(head.headers) == sorted(get.headers)


@both_adapters
@pytest.mark.parametrize("form", [PROBLEM_JSON, JSON])
def test_json_has_the_members_as_they_were_given(adapter: Adapter, form: str) -> None:
    """RFC 9457, 3.1 and 3.2."""
    answer = stated(adapter, SOLD, form)
    jsonschema.validate(answer.json(), SCHEMA)
    assert answer.json() == {
        "type": "https://example.com/problems/sold",
        "title": "Sold & gone",
        "status": 409,
        "detail": 'Somebody was "faster" <b>than</b> you.',
        "instance": "/orders/17?a=1&b=2",
        "request_id": ID,
        **SOLD.extensions,
    }


@both_adapters
def test_xml_has_the_members_as_elements_and_arrays_as_i(adapter: Adapter) -> None:
    """RFC 9457, appendix B."""
    answer = stated(adapter, SOLD, PROBLEM_XML)
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert as_members(problem_element(answer)) == {
        "type": "https://example.com/problems/sold",
        "title": "Sold & gone",
        "status": "409",
        "detail": 'Somebody was "faster" <b>than</b> you.',
        "instance": "/orders/17?a=1&b=2",
        "request_id": ID,
        "left": "0",
        "price": "12.5",
        "again": "true",
        "never": "false",
        "nothing": "",
        "names": ["a<b", "c"],
        "nested": {"deep": {"list": ["1", ["2", {"three": "3"}], ""]}, "empty": ""},
    }


@both_adapters
def test_the_page_says_what_a_person_needs(adapter: Adapter) -> None:
    """The status, what happened, and the id to name when asking for help."""
    page = page_of(stated(adapter, SOLD, HTML))
    (heading,) = page.texts["h1"]
    (title,) = page.texts["title"]
    (main,) = page.texts["main"]
    assert heading == "Sold & gone"
    assert title == "409 Sold & gone"
    assert 'Somebody was "faster" <b>than</b> you.' in main
    assert "409" in main
    assert ID in main


@both_adapters
@pytest.mark.parametrize(
    "problem", [SOLD, Problem(500), Problem(404, detail="")], ids=["all", "bare", "empty detail"]
)
def test_the_page_is_accessible(adapter: Adapter, problem: Problem) -> None:
    """For screen readers, small screens and large fonts (WCAG 2.2: 1.3.1, 1.4.10, 2.4.2, 3.1.1)."""
    answer = stated(adapter, problem, HTML)
    assert answer.body.startswith(b"<!doctype html>\n<html")
    page = page_of(answer)
    assert page.declarations == ["doctype html"]
    assert page.attributes("html") == [{"lang": "en"}]
    for one in ("head", "body", "title", "main", "h1"):
        assert page.tags.count(one) == 1, one
    assert page.texts["title"][0].strip()
    assert page.texts["h1"][0].strip()
    metas = page.attributes("meta")
    assert {"charset": "utf-8"} in metas
    (viewport,) = [meta["content"] for meta in metas if meta.get("name") == "viewport"]
    assert viewport == "width=device-width, initial-scale=1"
    assert {"name": "robots", "content": "noindex"} in metas
    heading_levels = [tag for tag in page.tags if tag in {"h2", "h3", "h4", "h5", "h6"}]
    assert heading_levels == []


@both_adapters
def test_the_page_runs_and_loads_nothing(adapter: Adapter) -> None:
    """It works under any Content-Security-Policy, and asks nobody for anything."""
    page = page_of(stated(adapter, SOLD, HTML))
    assert not {"script", "link", "img", "iframe", "form", "object", "base"} & set(page.tags)
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not {"src", "href", "action"} & attributes.keys()
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


@both_adapters
def test_plain_text_is_a_few_lines(adapter: Adapter) -> None:
    """For terminals."""
    assert stated(adapter, SOLD, TEXT).body.decode() == (
        f'409 Sold & gone\n\nSomebody was "faster" <b>than</b> you.\n\nRequest id: {ID}\n'
    )
    assert (
        stated(adapter, Problem(404), TEXT).body.decode() == f"404 Not Found\n\nRequest id: {ID}\n"
    )


@both_adapters
@every_form
def test_an_unforeseen_exception_says_the_same_in_every_form(adapter: Adapter, form: str) -> None:
    """A 500 and its id, and nothing of the exception."""
    answer = stated(adapter, LookupError("s3cr3t"), form)
    assert answer.status == 500
    assert "Internal Server Error" in answer.text()
    assert ID in answer.body.decode()
    assert "s3cr3t" not in answer.text()
    assert "LookupError" not in answer.text()


@pytest.mark.parametrize("form", OFFERED)
def test_both_adapters_send_the_same_bytes(form: str) -> None:
    """The third law: two adapters."""
    first, second = (stated(adapter, SOLD, form) for adapter in ADAPTERS)
    assert first.body == second.body
    assert sorted((name.lower(), value) for name, value in first.headers) == sorted(
        (name.lower(), value) for name, value in second.headers
    )


# -- hostile texts --------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "</title></h1></main></body></html><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "<!-- x -->",
    "]]>",
    "<![CDATA[x]]>",
    "<!DOCTYPE problem [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;",
    "</problem><problem>",
    "<?xml version='1.0'?>",
    "&amp;&lt;&#60;&#x0;&undefined;",
    "\"'`=/\\",
    "{title} {content} %s %(x)s {0}",
    "a\r\nSet-Cookie: a=1\r\n\r\n<html>",
    "\x00",
    "".join(map(chr, range(32))),
    "".join(map(chr, range(0x7F, 0xA0))),
    "\x1b[31mred\x1b[0m",
    "\ud800",
    "\udfff\ud800 \udc80",
    "\ufffe\uffff",
    "\U0001fffe\U0010ffff",
    "\ufeffbom",
    "\u2028\u2029",
    "\u202eright to left",
    "gr\u00fc\u00dfe \u65e5\u672c\u8a9e \U0001f600",
    "",
    " ",
]
hostile_texts = pytest.mark.parametrize("text", HOSTILE, ids=ascii)


def as_xml_has_it(text: str) -> str:
    """Return a text as an XML 1.0 document can hold it, and as a parser hands it on."""
    kept = [
        one
        for one in text
        if one in "\t\n\r" or "\x20" <= one <= "\ufffd" or "\U00010000" <= one <= "\U0010ffff"
    ]
    encodable = "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in kept)
    return encodable.replace("\r\n", "\n").replace("\r", "\n")


def assert_states(answer: Answer, form: str, text: str) -> None:
    """Assert that an answer states a text in its detail, and that the text changes no form."""
    body = answer.body.decode()
    if form in (PROBLEM_JSON, JSON):
        assert body.isascii()
        jsonschema.validate(answer.json(), SCHEMA)
        # Two surrogates in a row are one character to JSON.
        merged = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        assert answer.json()["detail"] == merged
    elif form == PROBLEM_XML:
        root = problem_element(answer)
        names = [child.tag.removeprefix(NAMESPACE) for child in root]
        assert names == ["type", "title", "status", "detail", "instance", "request_id", "more"]
        for name in ("detail", "more"):
            element = root.find(f"{NAMESPACE}{name}")
            assert element is not None
            assert len(element) == 0
            assert (element.text or "") == as_xml_has_it(text)
    elif form == HTML:
        page, plain = page_of(answer), page_of(stated(ADAPTERS[0], Problem(400, detail=""), form))
        assert page.elements == plain.elements
        assert page.comments == []
        assert page.declarations == ["doctype html"]
    else:
        assert body.startswith("400 Bad Request\n\n")
        assert body.endswith(f"\n\nRequest id: {ID}\n")


@both_adapters
@every_form
@hostile_texts
def test_no_text_breaks_a_form_or_gets_out_of_its_place(
    adapter: Adapter, form: str, text: str
) -> None:
    """Markup, control characters, and what is no character at all."""
    answer = stated(adapter, Problem(400, detail=text, extensions={"more": text}), form)
    assert answer.status == 400
    assert answer.get("Content-Type") == CONTENT_TYPES[form]
    assert_states(answer, form, text)


@both_adapters
@every_form
@hostile_texts
def test_nor_does_one_in_any_other_member(adapter: Adapter, form: str, text: str) -> None:
    """Type, title, instance, and within extensions."""
    problem = Problem(
        400, type=text, title=text, instance=text, extensions={"deep": {"list": [text, [text]]}}
    )
    answer = stated(adapter, problem, form)
    assert answer.status == 400
    if form in (PROBLEM_JSON, JSON):
        assert answer.json()["deep"]["list"][1] == [answer.json()["deep"]["list"][0]]
    elif form == PROBLEM_XML:
        root = problem_element(answer)
        assert len(root) == 6
        inner = root.find(f"{NAMESPACE}deep/{NAMESPACE}list/{NAMESPACE}i/{NAMESPACE}i")
        assert inner is not None
        assert (inner.text or "") == as_xml_has_it(text)
    elif form == HTML:
        page = page_of(answer)
        assert page.tags.count("h1") == page.tags.count("main") == 1
        assert not {"script", "img", "problem"} & set(page.tags)
        assert page.comments == []


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=[])), st.sampled_from(OFFERED))
def test_any_text_can_be_stated_in_any_form(text: str, form: str) -> None:
    """Of every character that Python has."""
    answer = stated(ADAPTERS[1], Problem(400, detail=text, extensions={"more": text}), form)
    assert_states(answer, form, text)


@pytest.mark.unmeasured
@pytest.mark.few_cases(2)
@both_adapters
@every_form
def test_a_long_detail_is_stated_whole(adapter: Adapter, form: str) -> None:
    """A megabyte of markup."""
    text = "<&>\n" * 262_144
    answer = stated(adapter, Problem(400, detail=text, extensions={"more": text}), form)
    assert_states(answer, form, text)
    assert len(answer.body) > 1_000_000
    if form == HTML:
        assert text in page_of(answer).texts["main"][0]


NAMES = [
    *("", " ", "1", "two words", "a:b", "a>b", "a/", "a b='c'", "-a", ".a", "<script>", "]]>"),
    *("a\n", "a\x00", "\ud800", "\ufffe", "{x}", "?xml", "!--", "a" * 10_000 + ">"),
]


@both_adapters
@every_form
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_an_extension_whose_name_is_no_xml_name_is_left_out_of_xml_alone(
    adapter: Adapter, form: str, name: str
) -> None:
    """RFC 9457, 3.2: such names are not for every form."""
    problem = Problem(400, extensions={name: 1, "kept": {name: 2, "inner": 3}})
    answer = stated(adapter, problem, form)
    assert answer.status == 400
    if form in (PROBLEM_JSON, JSON):
        assert answer.json().items() >= problem.extensions.items()
    elif form == PROBLEM_XML:
        members = as_members(problem_element(answer))
        assert members["kept"] == {"inner": "3"}
        assert set(members) == {"type", "title", "status", "instance", "request_id", "kept"}


@both_adapters
@pytest.mark.parametrize("name", ["i", "a-b", "_a", "a.b", "A1", "problem", "xmlns", "xml"])
def test_an_extension_whose_name_is_an_xml_name_is_kept(adapter: Adapter, name: str) -> None:
    """Also one that means something elsewhere."""
    root = problem_element(stated(adapter, Problem(400, extensions={name: "x"}), PROBLEM_XML))
    assert root.findtext(f"{NAMESPACE}{name}") == "x"


@both_adapters
@every_form
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_deep_extensions_are_no_error(adapter: Adapter, form: str, kind: str) -> None:
    """However deep JSON goes, the other forms end somewhere."""
    deep: Any = "bottom"
    for _ in range(200):
        deep = [deep] if kind == "list" else {"a": deep}
    answer = stated(adapter, Problem(400, extensions={"deep": deep}), form)
    assert answer.status == 400
    if form == PROBLEM_XML:
        assert "bottom" not in "".join(problem_element(answer).itertext())
        assert answer.body.count(b"<i>" if kind == "list" else b"<a>") == 15
    elif form in (PROBLEM_JSON, JSON):
        assert answer.json()["deep"] == deep


# -- a page of one's own --------------------------------------------------------------------------


@both_adapters
def test_a_page_of_ones_own_takes_the_plain_ones_place(adapter: Adapter) -> None:
    """It is given the problem and the request, and only browsers see it."""
    seen = []

    def page(problem: Problem, request: Request) -> str:
        seen.append(problem)
        title = escape(problem.title)
        return f"<!doctype html><title>{title}</title><p>{request.method} {request.path} \ud800"

    answer = stated(adapter, SOLD, HTML, page=page)
    assert answer.status == 409
    assert answer.get("Content-Type") == "text/html; charset=utf-8"
    assert answer.get("Retry-After") == "60"
    assert answer.body.decode() == ("<!doctype html><title>Sold &amp; gone</title><p>GET / \ufffd")
    for form in (PROBLEM_JSON, JSON, PROBLEM_XML, TEXT):
        assert stated(adapter, SOLD, form, page=page).get("Content-Type") == CONTENT_TYPES[form]
    assert seen == [SOLD]


@both_adapters
def test_a_page_may_be_markup(adapter: Adapter) -> None:
    """As template engines return it."""
    answer = stated(adapter, SOLD, HTML, page=lambda *_: Markup("<p>{}").format("<"))
    assert answer.body == b"<p>&lt;"


def fails(problem: Problem, request: Request) -> str:
    raise LookupError("s3cr3t")


def fails_with_a_problem(problem: Problem, request: Request) -> str:
    raise Problem(418, detail="s3cr3t")


PAGES: list[Callable[..., Any]] = [
    fails,
    fails_with_a_problem,
    lambda _problem, _request: None,
    lambda _problem, _request: b"<p>s3cr3t",
    lambda _problem, _request: 42,
    lambda _problem, _request: ["s3cr3t"],
    lambda _problem: "takes no request",
]
PAGE_NAMES = ["raises", "raises a problem", "None", "bytes", "number", "list", "takes one"]
bad_pages = pytest.mark.parametrize("page", PAGES, ids=PAGE_NAMES)


@both_adapters
@bad_pages
def test_a_page_that_fails_gives_a_clean_answer_and_is_logged(
    adapter: Adapter, page: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """In JSON, and nothing of the failure is in it."""
    answer = stated(adapter, LookupError("s3cr3t"), HTML, page=page)
    assert answer.status == 500
    assert answer.get("Content-Type") == PROBLEM_JSON
    jsonschema.validate(answer.json(), SCHEMA)
    assert answer.json()["request_id"] == ID
    assert "s3cr3t" not in answer.text()
    unhandled, failed = caplog.records
    assert unhandled.getMessage().startswith("Unhandled LookupError")
    assert failed.name == "mantlet.errors"
    assert failed.levelname == "ERROR"
    assert failed.getMessage().startswith("ErrorEnvelope: page failed with ")
    assert failed.exc_info


@both_adapters
@bad_pages
def test_a_page_that_fails_costs_a_problem_its_looks_and_nothing_else(
    adapter: Adapter, page: Callable[..., Any]
) -> None:
    """Status, fields and members stay: the log and the other forms say so too."""
    answer = stated(adapter, SOLD, HTML, page=page)
    assert answer.status == 409
    assert answer.get("Content-Type") == PROBLEM_JSON
    assert answer.get("Retry-After") == "60"
    assert answer.json().items() >= SOLD.extensions.items()


@both_adapters
def test_a_text_that_fails_when_it_is_made_gives_a_clean_500(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """A detail that is translated late may fail as late."""

    class Late:
        def __str__(self) -> str:
            raise LookupError("s3cr3t")

    for form in OFFERED:
        answer = stated(adapter, Problem(404, detail=Late()), form)  # type: ignore[arg-type]  # gettext_lazy()
        assert answer.status == 500
        assert answer.json()["title"] == "Internal Server Error"
        assert "s3cr3t" not in answer.text()
    assert len(caplog.records) == len(OFFERED)


# -- fields of the problem's own ------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("accept", [*OFFERED, "*/*"])
def test_a_type_of_the_problems_own_names_its_json(adapter: Adapter, accept: str) -> None:
    """A kind of JSON that clients of this app know; it is what it is called, whoever asks."""
    own = "application/vnd.example.error+json"
    answer = stated(adapter, Problem(400, detail="<No.>", headers={"content-type": own}), accept)
    assert answer.get("Content-Type") == own
    assert answer.json()["detail"] == "<No.>"


@pytest.mark.parametrize(
    "own",
    [
        *("text/html", "application/xhtml+xml", "text/plain", "image/svg+xml", "", "json", " "),
        *("text/html; charset=json", "text/html;a=+json", "text/html,application/json"),
        *("application/jsonp", "application/json-seq", "application/vnd.x+jsonx", "own"),
    ],
)
def test_a_type_of_the_problems_own_that_is_none_of_json_is_refused(own: str) -> None:
    """JSON escapes no markup: a detail that repeats what the client sent would run as a script."""
    with pytest.raises(ValueError, match="Content-Type"):
        Problem(400, headers={"Content-Type": own})


@pytest.mark.parametrize(
    "own",
    [
        *("application/json", "application/problem+json", "APPLICATION/JSON; charset=utf-8"),
        *("application/vnd.example.error+json;v=1", "application/vnd.example.error+JSON ; v=1"),
    ],
)
def test_any_type_of_json_is_kept(own: str) -> None:
    """With its parameters."""
    assert Problem(400, headers={"Content-Type": own}).headers["Content-Type"] == own


@both_adapters
@every_form
def test_a_problem_that_caches_may_keep_says_what_its_form_depends_on(
    adapter: Adapter, form: str
) -> None:
    """RFC 9110, 12.5.5; one that they may not keep needs not."""
    kept = stated(adapter, Problem(404, headers={"cache-control": "max-age=60"}), form)
    assert kept.get("Cache-Control") == "max-age=60"
    assert kept.get("Vary") == "Accept"
    assert kept.get("Content-Type") == CONTENT_TYPES[form]


# -- refusals of policies further in --------------------------------------------------------------


@both_adapters
@every_form
def test_a_refusal_of_a_policy_inside_is_negotiated_too(adapter: Adapter, form: str) -> None:
    """A 429 keeps what says when to come back."""
    stack = adapter.wrap(hello, ErrorEnvelope(), RateLimiter("1/hour"))
    fields = [("Accept", form), ("X-Request-ID", ID)]
    assert adapter.drive(stack, headers=fields).status == 200
    for method in ("GET", "HEAD"):
        answer = adapter.drive(stack, method, headers=fields)
        assert answer.status == 429
        assert answer.get("Content-Type") == CONTENT_TYPES[form]
        assert answer.get("Cache-Control") == "no-store"
        assert 3500 < int(answer.get("Retry-After") or 0) <= 3600
        assert answer.get("RateLimit")
        assert answer.get("X-Request-ID") == ID
        told = answer.body.decode()
        assert ("assigned quota has been exceeded" in told) == (method == "GET")
        assert (ID in told) == (method == "GET")


@both_adapters
@every_form
def test_a_problem_that_a_hook_raises_is_negotiated_too(adapter: Adapter, form: str) -> None:
    """On the way in and on the way out."""

    class OnTheWayIn(Policy):
        def on_request(self, request: Request) -> None:
            raise SOLD

    class OnTheWayOut(Policy):
        def on_response(self, request: Request, response: Response) -> None:
            raise SOLD

    fields = [("Accept", form), ("X-Request-ID", ID)]
    expected = stated(adapter, SOLD, form)
    for policy in (OnTheWayIn(), OnTheWayOut()):
        answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope(), policy), headers=fields)
        assert (answer.status, answer.body) == (409, expected.body)
        assert sorted(answer.headers) == sorted(expected.headers)


@pytest.mark.filterwarnings("ignore:.* is inside ")
@both_adapters
@every_form
def test_a_policy_outside_answers_in_its_own_form(adapter: Adapter, form: str) -> None:
    """It knows nothing of an envelope that is further in."""
    stack = adapter.wrap(hello, RateLimiter("1/hour"), ErrorEnvelope())
    for status in (200, 429):
        answer = adapter.drive(stack, headers=[("Accept", form)])
        assert answer.status == status
    assert answer.get("Content-Type") == PROBLEM_JSON
    assert json.loads(answer.body)["status"] == 429


@both_adapters
def test_a_problem_without_an_id_says_none(adapter: Adapter) -> None:
    """A policy may have taken it out of the exchange's state."""

    class Forget(Policy):
        def on_request(self, request: Request) -> None:
            request.state._request_id = None

    for form in OFFERED:
        stack = adapter.wrap(raising(Problem(404)), ErrorEnvelope(), Forget())
        answer = adapter.drive(stack, headers=[("Accept", form)])
        assert answer.status == 404
        assert "request" not in answer.body.decode().lower()
        assert "urn:uuid" not in answer.body.decode()
