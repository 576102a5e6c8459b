"""Helpers for apps that put what others wrote into HTML."""

from __future__ import annotations

import json
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from mantlet.http.html import HtmlPolicy, clean, escape, json_script
from mantlet.http.html.complexity import DEEPEST, escape_bare_ampersands, is_too_complex

REL = 'rel="noopener noreferrer nofollow ugc"'
FIVE = ("<", ">", "&", "\u2028", "\u2029")


# -- clean ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fragment", "ugc", "strict", "text"),
    [
        ("<p>a <b>b</b></p>", "<p>a <b>b</b></p>", "a <b>b</b>", "a b"),
        ("<a href=https://e.org>x</a>", f'<a href="https://e.org" {REL}>x</a>', "x", "x"),
        ("<a href=javascript:x>x</a>", f"<a {REL}>x</a>", "x", "x"),
        ("<a href=' java\nscript:x'>x</a>", f"<a {REL}>x</a>", "x", "x"),
        ("<a href=x onclick=y>x</a>", f'<a href="x" {REL}>x</a>', "x", "x"),
        ("<a rel=opener target=_blank>x</a>", f"<a {REL}>x</a>", "x", "x"),
        ("<script>x</script>", "", "", ""),
        ("<style>x</style><title>x</title>", "", "", ""),
        ("<iframe src=x>y</iframe>", "", "", ""),
        ("<svg><script>x</script></svg>", "", "", ""),
        ("<img src=https://e.org/x alt=y>", '<img src="https://e.org/x" alt="y">', "", ""),
        ("<img src=data:image/png,x onerror=y>", "<img>", "", ""),
        ("<b style=x id=y class=z name=w>x</b>", "<b>x</b>", "<b>x</b>", "x"),
        ("<q cite=javascript:x>x</q>", "<q>x</q>", "<q>x</q>", "x"),
        ("<form><input name=x>y</form>", "y", "y", "y"),
        ("a<!-- b -->c", "ac", "ac", "ac"),
        ("a & b &lt;i&gt;", "a &amp; b &lt;i&gt;", "a &amp; b &lt;i&gt;", "a &amp; b &lt;i&gt;"),
        ("<ul><li>x", "<ul><li>x</li></ul>", "x", "x"),
        ("<table><tr><td colspan=2>x", None, "x", "x"),
        ("<abbr title=y>x</abbr>", '<abbr title="y">x</abbr>', '<abbr title="y">x</abbr>', "x"),
        ("</div></div>x", "x", "x", "x"),
        ("", "", "", ""),
    ],
)
def test_a_preset_keeps_what_it_names(
    fragment: str, ugc: str | None, strict: str, text: str
) -> None:
    """And the text of the rest."""
    table = '<table><tbody><tr><td colspan="2">x</td></tr></tbody></table>'
    assert clean(fragment) == clean(fragment, "ugc") == (table if ugc is None else ugc)
    assert clean(fragment, "strict") == strict
    assert clean(fragment, "text") == text


def test_what_is_clean_is_not_escaped_again() -> None:
    """A template that escapes takes it as it is."""
    assert isinstance(clean("<b>x</b>"), Markup)
    assert escape(clean("<b>x</b>")) == "<b>x</b>"
    assert escape("<b>") == "&lt;b&gt;"


@pytest.mark.parametrize("preset", ["text", "strict", "ugc"])
@given(fragment=st.text(st.sampled_from("<>/=\"' abpsuimg!-&;\x00\ud800\u2028x"), max_size=40))
def test_what_is_clean_stays_as_it_is(preset: str, fragment: str) -> None:
    """Cleaned twice is cleaned once, and any text can be cleaned."""
    once = clean(fragment, preset)
    assert clean(once, preset) == once


@given(st.text())
def test_text_has_no_markup(fragment: str) -> None:
    """Whatever it was made of."""
    assert "<" not in clean(fragment, "text")


def test_an_own_allow_list_is_kept_to() -> None:
    """Elements, attributes, schemes, relative URLs and ``rel``."""
    policy = HtmlPolicy(
        tags={"a", "p"},
        attributes={"a": {"href", "rel"}, "*": ["lang"]},
        url_schemes=["https"],
        relative_urls=False,
        link_rel=None,
    )
    fragment = "<p lang=en class=x><a href=/x rel=me>1</a><a href=http://e.org>2</a><a href=https://e.org>3</a><b>4</b>"
    assert clean(fragment, policy) == (
        '<p lang="en"><a rel="me">1</a><a>2</a><a href="https://e.org">3</a>4</p>'
    )
    assert policy == HtmlPolicy(
        tags=("p", "a"),
        attributes={"a": ["rel", "href"], "*": {"lang"}},
        url_schemes={"https"},
        relative_urls=False,
        link_rel=None,
    )
    assert hash(policy) == hash(policy)
    assert policy != HtmlPolicy()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tags": {"b", "script"}}, ValueError, "'script', which cannot be made safe"),
        ({"tags": {"style"}}, ValueError, "'style'"),
        ({"tags": {"iframe"}}, ValueError, "'iframe'"),
        ({"tags": {"svg"}}, ValueError, "'svg'"),
        ({"tags": {"B"}}, ValueError, "'B', which is not a valid name"),
        ({"tags": {"<b>"}}, ValueError, "such as 'b'"),
        ({"tags": "b"}, TypeError, "several names"),
        ({"tags": 1}, TypeError, "not 1"),
        ({"tags": {1}}, TypeError, "not 1"),
        ({"tags": {"b"}, "attributes": {"b": {"onclick"}}}, ValueError, "'onclick', which runs"),
        ({"tags": {"b"}, "attributes": {"*": {"style"}}}, ValueError, "'style'"),
        ({"tags": {"b"}, "attributes": {"b": {"ONCLICK"}}}, ValueError, "not a valid name"),
        ({"tags": {"q"}, "attributes": {"q": {"cite"}}}, ValueError, "'cite', whose URLs"),
        ({"attributes": {"b": {"title"}}}, ValueError, "'b', which is not in tags"),
        ({"tags": {"b"}, "attributes": {"b": "title"}}, TypeError, r"attributes\['b'\]"),
        ({"attributes": ["b"]}, TypeError, "attributes must be like"),
        ({"tags": {"a"}, "attributes": {"a": {"rel"}}}, ValueError, "which link_rel sets"),
        ({"url_schemes": {"javascript"}}, ValueError, "'javascript', with which"),
        ({"url_schemes": {"data"}}, ValueError, "'data'"),
        ({"url_schemes": {"https:"}}, ValueError, "'https:'"),
        ({"link_rel": 1}, TypeError, "not 1"),
    ],
)
def test_what_cant_be_made_safe_is_refused_with_words(
    options: Any, error: type[Exception], words: str
) -> None:
    """Where the allow-list is made."""
    with pytest.raises(error, match=words):
        HtmlPolicy(**options)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("x", "all"), ValueError, "not 'all'"),
        (("x", None), TypeError, "not None"),
        ((b"x",), TypeError, "must be text, not bytes"),
        ((None,), TypeError, "not NoneType"),
    ],
    ids=["preset", "no preset", "bytes", "nothing"],
)
def test_a_bad_argument_is_refused_with_words(
    arguments: Any, error: type[Exception], words: str
) -> None:
    """With what would be right."""
    with pytest.raises(error, match=words):
        clean(*arguments)


def test_without_nh3_the_error_names_the_extra() -> None:
    """Where a cleaner is made; the other helpers need none."""
    code = (
        "import sys; sys.modules['nh3'] = None\n"
        "from mantlet.http.html import HtmlPolicy, clean, escape, json_script\n"
        "from mantlet.sanitize.html_routes import HtmlRoutes\n"
        "escape('<'); json_script(1); HtmlRoutes({})\n"
        "for make in (lambda: clean('x'), HtmlPolicy, lambda: HtmlRoutes({'/': 'ugc'})):\n"
        "    try: make()\n"
        "    except ImportError as error: assert 'pip install \"mantlet[html]\"' in str(error)\n"
        "    else: raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- what would take a parser long ----------------------------------------------------------------


class Depth(HTMLParser):
    """How deep the elements of what was cleaned are."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("br", "img", "hr", "wbr", "col"):
            self.now += 1
            self.most = max(self.most, self.now)

    def handle_endtag(self, tag: str) -> None:
        self.now -= 1


@pytest.mark.parametrize(
    "piece",
    [
        *("<div>", "<b>", "<a href=x>", "<ul><li>", "<table><td>", "<svg>", "<svg><td>", "<rt>"),
        *("<optgroup>", "<div/>", "<DIV>", "<div\n>", "<x-y>", "<div><!--</div>-->"),
        *("<div><!></div><?</div>>", '<div a="</div>">', '<div a=x" b=" > </div>">', "<b><p>"),
        *(
            "<div><object></div></object>",
            "<svg><![CDATA[ > </svg> ]]>",
            "<div><style></div></style>",
        ),
        *("<div><textarea></div></textarea>", '<div ="></div>', "<blockquote></x>", "<font a=1>"),
    ],
)
def test_what_comes_out_is_never_too_deep(piece: str) -> None:
    """A parser takes minutes for a megabyte of it, or memory without end."""
    fragment = piece * 5000
    shallow = Depth()
    shallow.feed(clean(fragment))
    assert shallow.most <= 2 * DEEPEST


def test_formatting_that_is_opened_again_and_again_is_text() -> None:
    """Each paragraph would have all of it."""
    unclosed = "<p>" + "".join(f"<b a={index}>" for index in range(200)) + "</p>"
    assert is_too_complex(unclosed + "<p>x</p>" * 5000)
    assert clean(unclosed + "<p>x</p>" * 5000) == escape(unclosed + "<p>x</p>" * 5000)
    assert not is_too_complex("<p><b>x</b></p>" * 5000)


def test_a_crowd_of_attributes_or_references_is_text() -> None:
    """A parser compares each with all the others, or copies what follows."""
    assert is_too_complex("<p " + " ".join(f"a{index}" for index in range(2000)) + ">")
    assert is_too_complex("&" * 60_000)
    assert is_too_complex("<p>" * 50_001)
    assert clean("<" * 50_001) == "&lt;" * 50_001
    assert not is_too_complex("<p " + "a " * 300 + ">" + "x" * 5000)


@pytest.mark.parametrize(
    "fragment",
    [
        "<p>hello <b>x</b> <a href='/?a=1&b=2'>y</a></p><ul><li>1<li>2</ul>" * 2000,
        "<p>" * 20_000,
        "<dt>x<dd>y" * 20_000,
        "<table>" + "<tr><td>x" * 20_000,
        "<br><img src=x><hr>" * 15_000,
        "a < b & c > d " * 2000,
        "<plaintext>" + "<div>" * 2000,
        "<script>" + "<div>" * 2000,
        "<!--" + "<div>" * 2000,
        "<div" * 2000,
        "x" * 100_000,
    ],
    ids=[
        *(
            "usual",
            "paragraphs",
            "terms",
            "rows",
            "void",
            "text",
            "plain text",
            "script",
            "comment",
        ),
        *("attributes", "letters"),
    ],
)
def test_what_is_only_long_is_cleaned(fragment: str) -> None:
    """However long it is."""
    assert not is_too_complex(fragment)
    assert "&lt;p" not in clean(fragment)


def test_ampersands_that_begin_no_reference_are_written_out() -> None:
    """Where there are many, which changes nothing that is said but in references of old."""
    many = "&amp;&lt;&#60;&#x3c;&NotEqualTilde;&x;&a&&#;&copy " * 200
    calm = escape_bare_ampersands(many)
    assert calm.startswith("&amp;&lt;&#60;&#x3c;&NotEqualTilde;&amp;x;&amp;a&amp;&amp;#;&amp;copy ")
    assert unescape(calm) == unescape(many.replace("&copy ", "&amp;copy "))
    assert escape_bare_ampersands("&x;&a&&copy ") == "&x;&a&&copy "


# -- json_script ----------------------------------------------------------------------------------


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_data_for_a_script_can_end_nothing(value: Any) -> None:
    """It reads as what it was, and holds none of the five characters."""
    made = json_script(value)
    assert made.startswith('<script type="application/json">')
    inner = made.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert not any(char in inner for char in FIVE)
    assert json.loads(inner) == value


def test_the_scripts_id_is_escaped() -> None:
    """As any attribute."""
    assert json_script({"a": "</script>"}, "data") == (
        '<script type="application/json" id="data">{"a": "\\u003c/script\\u003e"}</script>'
    )
    assert 'id="&#34;&gt;&lt;b"' in json_script(1, '"><b')
    assert isinstance(json_script(1), Markup)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((float("nan"),), ValueError, "not JSON compliant"),
        ((float("inf"),), ValueError, "not JSON compliant"),
        ((object(),), TypeError, "not JSON serializable"),
        (({1, 2},), TypeError, "not JSON serializable"),
        ((1, ""), ValueError, "without white space"),
        ((1, "a b"), ValueError, "'a b'"),
        ((1, 2), TypeError, "not 2"),
    ],
    ids=["not a number", "infinite", "object", "set", "empty id", "blank in the id", "no text"],
)
def test_what_has_no_form_in_json_is_refused(
    arguments: Any, error: type[Exception], words: str
) -> None:
    """As is an id that is none."""
    with pytest.raises(error, match=words):
        json_script(*arguments)
