r"""What is around a leak stays: JSON, markup, scripts, events and CSV are as well-formed as before.

Every rule and every detector, and secrets with all that a string may have to escape, stand in
documents that are drawn, and arrive in chunks that are drawn.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.redact import Registry
from mantlet.redact.stream_scan import StreamScan
from mantlet.sanitize import Leaks
from mantlet.sanitize.rules import DETECTORS, RULES
from tests.sanitize.rules.keys.samples import keys, labeled
from tests.sanitize.rules.keys.test_private_keys import PEM
from tests.sanitize.rules.samples import errors

if TYPE_CHECKING:
    from mantlet.redact.scanner import Scanner

pytestmark = pytest.mark.slow

SECRETS: Final = (
    "p@ss/w\"o<r&d 'x+ý=Z9\\",
    "Xk29fjQmZ0-plain",
    "84729105637281940",
    '{"a": 1, "key": "Zk3fqP0x"}',
    '","Qz81x":"kfPq02',
)
TEXTS: Final = (
    "UNIQUE constraint failed: docs.id",
    "NOT NULL constraint failed: main.users.email",
    "(sqlite3.IntegrityError) UNIQUE constraint failed: a.b\n[SQL: INSERT INTO a VALUES (?)]",
    'duplicate key value violates unique constraint "users_email_key"\nDETAIL:  Key (a)=(b)',
    "(1062, \"Duplicate entry 'bob@x.org' for key 'users.email'\")",
    "Access denied for user 'app'@'10.0.0.7' (using password: YES)",
    "ORA-00942: table or view does not exist",
    'syntax error at or near "SELCT"',
    "SQLSTATE[42S02]: Base table or view not found",
    "?__debugger__=yes",
    "<title>Starlette Debugger</title>",
    "<html lang=en>\n  <head>\n    <title>x // Werkzeug Debugger</title>",
    "Request Method: GET\nRequest URL: http://x",
    "4111 1111 1111 1111",
    "5500005555555559",
    "bob.smith@inner.example.org",
    "GB29NWBK60161331926819",
    "123-45-6789",
    *SECRETS,
)


@cache
def scanner() -> Scanner:
    leaks = Leaks(detect=[*RULES, *DETECTORS])
    return leaks.scanner(Registry(SECRETS).variants)


@cache
def leaks() -> tuple[str, ...]:
    """Return leaks of all rules, as text."""
    found = [text for _, media, text in errors().values() if "json" not in (media or "")]
    short = [text for text in found if len(text) < 3000 and not text.startswith(("data:", "{"))]
    own = (key for _, key in keys().values())
    labels = (f"{label}={value}" for _, label, value in labeled().values())
    return (*TEXTS, *short, *own, *labels, PEM, "redis://:Xk29fjQmZ0@10.0.0.5:6379/0")


def sent(body: bytes, media: str | None, cuts: list[int]) -> bytes:
    told: list[str] = []
    scan = StreamScan(scanner(), lambda rule, *_: told.append(rule), media)
    places = sorted({min(cut, len(body)) for cut in cuts})
    edges = [0, *places, len(body)]
    out = b"".join(scan(body[a:b], True) for a, b in pairwise(edges)) + scan(b"", False)
    assert len(out) == len(body)
    return out


innocent = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-99, 99),
    st.floats(-9, 9).map(lambda number: round(number, 2)),
    st.sampled_from(
        ["", "a", "\\", '"', 'quo"ted', "end\\", "tab\t", "é\U0001f600", "<b>&", "it's"]
    ),
    st.sampled_from(["a: ", '["', "a, ", "{", "]", '\\"', "x=", "(", "&quot;", "\n", "http://a/b"]),
)
trees = st.recursive(
    innocent,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b:", 'c"', "d\\", "e, "]), inner, max_size=3)
    ),
    max_leaves=6,
)
cuts = st.lists(st.integers(0, 1500), max_size=6)
leaked = st.integers(0, 10_000).map(lambda at: leaks()[at % len(leaks())])
pads = st.sampled_from(["", "", "x ", "failed: ", "é: ", "a\\", "(", "'", '"', "\ud83d\ude00"])


def dumped(value: Any, style: int) -> str:
    options: list[dict[str, Any]] = [
        {},
        {"ensure_ascii": False},
        {"indent": 2},
        {"separators": (",", ":")},
        {"indent": "\t", "ensure_ascii": False},
    ]
    made = json.dumps(value, **options[style])
    return made.replace("/", "\\/") if style == 3 else made


def differences(before: Any, after: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths at which two values differ."""
    if isinstance(before, dict) and isinstance(after, dict) and list(before) == list(after):
        return [at for key in before for at in differences(before[key], after[key], (*path, key))]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = zip(before, after, strict=True)
        return [at for i, (a, b) in enumerate(pairs) for at in differences(a, b, (*path, i))]
    return [] if before == after and type(before) is type(after) else [path]


MEDIA = ["application/json", None, "text/html", "text/plain", "application/problem+json"]


@settings(max_examples=600, deadline=None)
@given(
    leak=leaked,
    around=st.tuples(pads, trees, trees),
    style=st.integers(0, 4),
    depth=st.sampled_from([0, 0, 0, 1, 1, 2]),
    media=st.sampled_from(MEDIA),
    at=cuts,
)
def test_json_stays_json_and_all_else_in_it_stays(
    *, leak: str, around: tuple[str, Any, Any], style: int, depth: int, media: str, at: list[int]
) -> None:
    """Also in JSON that is a string in JSON."""
    pad, before, behind = around
    value: Any = {"before": before, "error": pad + leak, "behind": behind, "n": 400}
    for _ in range(depth):
        value = {"status": 1, "body": dumped(value, style), "end": [True, "x"]}
    body = dumped(value, style).encode(errors="surrogatepass")
    out = sent(body, media, at)
    after = json.loads(out)
    for _ in range(depth):
        assert {**after, "body": 0} == {**value, "body": 0}
        after, value = json.loads(after["body"]), json.loads(value["body"])
    assert differences(value, after) in ([("error",)], [])
    if (
        not depth
        and style != 3
        and leak.isascii()
        and pad in ("", "failed: ", "é: ")  # elsewhere the message of an error is a quotation
        and "html" not in leak
        and "debugger" not in leak
    ):
        assert after["error"] != value["error"]


# -- other forms ----------------------------------------------------------------------------------

printable = leaked.filter(lambda text: not re.search(r"[^\t\n -~\xa0-\U0010ffff]", text))
attributes = st.sampled_from(["", "x", "a: ", "it's", "<b>", "&", "(", "x='", "a,"])


@settings(max_examples=400, deadline=None)
@given(
    leak=printable,
    pad=attributes,
    place=st.sampled_from(["attribute", "element", "cdata", "comment", "mixed"]),
    media=st.sampled_from(["application/xml", "text/xml", "image/svg+xml", None, "text/html"]),
    at=cuts,
)
def test_xml_stays_xml(
    *, leak: str, pad: str, place: str, media: str | None, at: list[int]
) -> None:
    """In an attribute, in an element among others, in CDATA and in a comment."""
    inner = {
        "attribute": f"<i a={quoteattr(pad + leak)} b='2'/>",
        "element": f"<i>{escape(pad + leak)}</i>",
        "cdata": f"<i><![CDATA[{leak.replace(']]>', '')}]]></i>",
        "comment": f"<i/><!-- {leak.replace('--', '')} -->",
        "mixed": f"<i>{escape(leak)} <b>bold</b> tail<x y='1'/></i>",
    }[place]
    body = f'<?xml version="1.0"?>\n<r><a k="v">one</a>{inner}<z c="d">two</z></r>'.encode()
    before, after = ET.fromstring(body), ET.fromstring(sent(body, media, at))
    assert [one.tag for one in after.iter()] == [one.tag for one in before.iter()]
    assert (after[0].attrib, after[0].text) == ({"k": "v"}, "one")
    assert (after[-1].attrib, after[-1].text) == ({"c": "d"}, "two")
    if place == "attribute":
        assert after[1].attrib["b"] == "2"


#: A quoted string, a comment, or another character of a script.
_TOKENS: Final = re.compile(
    r"""
    "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `(?:[^`\\]|\\.)*` | [^"'`\s]+ | \s+
    """,
    re.DOTALL | re.VERBOSE,
)


def tokens(script: str) -> list[str]:
    """Return the tokens of a script; raise an error if it has a string that is not closed."""
    found = _TOKENS.findall(script)
    assert "".join(found) == script
    return found


@settings(max_examples=400, deadline=None)
@given(
    leak=printable,
    pad=st.sampled_from(["", "x ", "failed: ", "(", "a\\", "it's "]),
    frame=st.sampled_from([
        'var a = 1;\nfail({"error": %s, "status": 400});\nvar b = "z";\n',
        "var a = 1;\nthrow new Error(%s);\nvar b = 'z';\n",
        "var a = 'q', e = %s + a, n = [1, 2];\nvar b = 'z';\n",
        'cb({"error":%s,"b":"z"})',
    ]),
    media=st.sampled_from(["text/javascript", "application/javascript"]),
    single=st.booleans(),
    at=cuts,
)  # fmt: skip
def test_a_script_stays_a_script(
    *, leak: str, pad: str, frame: str, media: str, single: bool, at: list[int]
) -> None:
    """Only the string of the leak differs."""
    string = json.dumps(pad + leak)
    if single:
        string = "'" + string[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    body = frame % string
    before, after = tokens(body), tokens(sent(body.encode(), media, at).decode())
    differing = [a for a, b in zip(before, after, strict=True) if a != b]
    assert differing in ([string], [])


#: The JSON in an attribute or a script.
HTML_VALUE: Final = re.compile(
    r"""(?:data-x=["']|x = |json">)(.*?)(?:["'] class|; var|</script>)""", re.DOTALL
)


@settings(max_examples=400, deadline=None)
@given(
    leak=printable,
    pad=st.sampled_from(["", "x ", "failed: "]),
    place=st.sampled_from(["script", "data", "json-data", "escaped-data", "li", "json-script"]),
    at=cuts,
)
def test_html_stays_html(*, leak: str, pad: str, place: str, at: list[int]) -> None:
    """JSON in attributes and scripts too; a comment of another user stays."""
    document = {"error": pad + leak, "status": 400, "b": "z"}
    dumped_safely = json.dumps(document).replace("<", "\\u003c")
    inner = {
        "script": f"<script>var x = {dumped_safely}; var y = 'z';</script>",
        "json-script": f'<script type="application/json">{dumped_safely}</script>',
        "data": f"<p title={quoteattr(pad + leak)} class='c'>x</p>",
        "json-data": f"<p data-x='{dumped_safely.replace(chr(39), '&#39;')}' class='c'>x</p>",
        "escaped-data": f'<p data-x="{html.escape(json.dumps(document))}" class="c">x</p>',
        "li": f"<ul><li>{html.escape(pad + leak)}<li>another</ul>",
    }[place]
    frame = "<!doctype html>\n<html><body><p>first</p>%s<p>last</p></body></html>"
    out = sent((frame % inner).encode(), "text/html", at).decode()
    begin, _, end = (frame % "\0").partition("\0")
    assert out.startswith(begin)
    assert out.endswith(end)
    made = out[len(begin) : -len(end)]
    if place in ("script", "json-script", "json-data", "escaped-data"):
        found = HTML_VALUE.search(made)
        assert found is not None
        after = json.loads(html.unescape(found[1]) if "data" in place else found[1])
        assert {**after, "error": 0} == {**document, "error": 0}
        assert place != "script" or made.endswith("; var y = 'z';</script>")
    elif place == "data":
        assert re.fullmatch(r"""<p title=("[^"]*"|'[^']*') class='c'>x</p>""", made)
    else:
        assert made.startswith("<ul><li>")
        assert made.endswith("<li>another</ul>")


@settings(max_examples=300, deadline=None)
@given(
    leaks_in=st.lists(printable, min_size=1, max_size=3),
    kind=st.sampled_from(["lines", "json-events", "text-events", "sequence"]),
    at=cuts,
)
def test_streams_of_documents_stay_so(*, leaks_in: list[str], kind: str, at: list[int]) -> None:
    """JSON lines, sequences of JSON, and events; each document and each event is still there."""
    documents = [{"n": n, "error": leak, "b": "z"} for n, leak in enumerate(leaks_in)]
    lines = [json.dumps(document) for document in documents]
    if kind in ("lines", "sequence"):
        lead = "\x1e" if kind == "sequence" else ""
        body = "".join(f"{lead}{line}\n" for line in lines)
        media = {"lines": "application/x-ndjson", "sequence": "application/json-seq"}[kind]
        out = sent(body.encode(), media, at).decode()
        after = [json.loads(line) for line in out.replace("\x1e", "").splitlines()]
    else:
        if kind == "text-events":
            lines = ["\ndata: ".join(leak.split("\n")) for leak in leaks_in]
        body = "".join(f"event: e\nid: {n}\ndata: {line}\n\n" for n, line in enumerate(lines))
        events = sent(body.encode(), "text/event-stream", at).decode().split("\n\n")
        names = [[line.partition(":")[0] for line in event.split("\n")] for event in events]
        assert names == [
            [line.partition(":")[0] for line in event.split("\n")] for event in body.split("\n\n")
        ]
        assert [event.split("\n")[:2] for event in events if event] == [
            ["event: e", f"id: {n}"] for n in range(len(lines))
        ]
        if kind == "text-events":
            return
        after = [json.loads(event.partition("data: ")[2]) for event in events if event]
    assert [{**one, "error": 0} for one in after] == [{**one, "error": 0} for one in documents]


@settings(max_examples=200, deadline=None)
@given(leak=printable, at=cuts)
def test_csv_stays_csv(leak: str, at: list[int]) -> None:
    """Each row and each other field."""
    rows = [["a", "b", "c"], ["1", leak, "z"], ["2", "x, y", 'quo"te']]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    out = sent(text.getvalue().encode(), "text/csv", at).decode()
    after = list(csv.reader(io.StringIO(out)))
    assert [row[0] for row in after] == ["a", "1", "2"]
    assert after[1][2:] == ["z"]
    assert after[2] == rows[2]
