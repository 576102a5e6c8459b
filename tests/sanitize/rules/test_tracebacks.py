"""Tracebacks and stack traces are masked whole, in whatever form they are sent."""

from __future__ import annotations

import html
import json
import traceback
from typing import TYPE_CHECKING, Final

import markupsafe
import pytest

from tests.sanitize.rules.samples import INNER, group, plain
from tests.sanitize.rules.test_rules import scanned, streamed

if TYPE_CHECKING:
    from collections.abc import Callable


def with_notes() -> str:
    """Return a traceback of an exception with notes."""
    try:
        error = ValueError("a")
        error.add_note(f"a note about {INNER}")
        raise error
    except ValueError:
        return traceback.format_exc()


def of_syntax() -> str:
    """Return a traceback of code that does not compile."""
    try:
        compile(f'x = "{INNER}" y', "/srv/shop/pay.py", "exec")
    except SyntaxError:
        return traceback.format_exc()
    raise AssertionError


def of_recursion() -> str:
    """Return a traceback with repeated lines."""

    def again(depth: int) -> None:
        if not depth:
            raise ValueError(INNER)
        again(depth - 1)

    try:
        again(20)
    except ValueError:
        return traceback.format_exc()
    raise AssertionError


#: Python's own, and those that Node 20, Java 17 and Rust 1.90 printed; the others as documented.
TRACES: Final[dict[str, str]] = {
    "chained": plain(),
    "group": group(),
    "notes": with_notes(),
    "syntax": of_syntax(),
    "recursion": of_recursion(),
    "frozen": 'Traceback (most recent call last):\n  File "<frozen runpy>", line 198, in _run\n'
    f'  File "/srv/{INNER}.py", line 3, in <module>\nKeyError: 1\n',
    "Windows": 'Traceback (most recent call last):\n  File "C:\\srv\\shop.py", line 3, in pay\n'
    f"    raise ValueError\nValueError: {INNER}\n",
    "relative": 'Traceback (most recent call last):\n  File "shop/views.py", line 3, in pay\n'
    f"    raise ValueError\nValueError: {INNER}\n",
    "Cython": "Traceback (most recent call last):\n"
    f'  File "shop/pay.pyx", line 3, in shop.pay.run\nValueError: {INNER}\n',
    "relative, Windows": "Traceback (most recent call last):\n"
    f'  File "shop\\views.py", line 3, in pay\nValueError: {INNER}\n',
    "stack": 'Stack (most recent call last):\n  File "/srv/shop.py", line 3, in <module>\n'
    f"    {INNER}()\n",
    "IPython": "ValueError                Traceback (most recent call last)\n"
    f"File /srv/shop.py:3, in pay()\n----> 3 raise ValueError({INNER!r})\n",
    "Node": f"TypeError: Cannot read properties of undefined (reading '{INNER}')\n"
    "    at pay (/srv/shop/a.js:1:45)\n    at main (/srv/shop/a.js:2:23)\n"
    "    at Module._compile (node:internal/modules/cjs/loader:1521:14)",
    "Node, promise": f"Error: {INNER}\n    at /srv/shop/a.js:3:35\n"
    "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
    "Node, async": f"PaymentError: {INNER}\n    at async Shop.pay (file:///srv/shop/a.mjs:3:35)\n",
    "Java": f"shop.ShopException: outer\n\tat shop.Pay.main(Pay.java:1)\n"
    "\tat java.base/java.lang.reflect.Method.invoke(Method.java:569)\n"
    f"Caused by: java.lang.IllegalStateException: {INNER}\n\tat shop.Pay.pay(Pay.java:1)\n",
    "Java, thread": f'Exception in thread "main" shop.ShopException: {INNER}\n'
    "\tat shop.Pay.main(Pay.java:1)\n",
    "Spring": f"java.lang.IllegalStateException: {INNER}\r\n\tat shop.Pay.pay(Pay.java:1)\r\n",
    ".NET": f"System.InvalidOperationException: {INNER}\n"
    "   at Shop.Pay.Run(String name) in /src/Shop/Pay.cs:line 12\n",
    "PHP": f"PHP Fatal error:  Uncaught PDOException: {INNER} in /srv/x.php:3\nStack trace:\n"
    "#0 /srv/x.php(3): pay()\n#1 {main}\n  thrown in /srv/x.php on line 3",
    "Laravel": f"Stack trace:\n#0 /srv/{INNER}/app/Pay.php(3): pay()\n#1 {{main}}",
    "Ruby": f"/srv/app.rb:12:in `pay': undefined method `x' for {INNER} (NoMethodError)\n"
    "\tfrom /srv/app.rb:3:in `<main>'\n",
    "Ruby 3.4": f"/srv/app.rb:12:in 'Shop#pay': undefined method 'x' for {INNER} (NoMethodError)",
    "Go": f"goroutine 18 [running]:\nmain.pay(0xc000)\n\t/srv/{INNER}.go:12 +0x1d\n",
    "Rust": f"thread 'main' panicked at src/pay.rs:1:152:\ncalled `Result::unwrap()` on an `Err` "
    f'value: "{INNER}"\n',
}
FORMS: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "text": ("text/plain", lambda text: f"Failed.\n\n{text}"),
    "text, CRLF": ("text/plain", lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n")),
    "HTML": ("text/html", lambda text: f"<h1>500</h1><pre>{html.escape(text)}</pre><p>b</p>"),
    "HTML by Jinja": ("text/html", lambda text: f'<div class="e">{markupsafe.escape(text)}</div>'),
    "HTML, not escaped": ("text/html", lambda text: f"<pre>{text}</pre>"),
    "HTML, line by line": (
        "text/html",
        lambda text: f"<p>{html.escape(text).replace(chr(10), '<br>' + chr(10))}</p>",
    ),
    "JSON": ("application/json", lambda text: json.dumps({"detail": text, "b": 2})),
    "JSON after a prefix": (
        "application/json",
        lambda text: json.dumps({"detail": f"Error 1\n{text}", "b": 2}),
    ),
    "JSON, repr()": ("application/json", lambda text: json.dumps({"detail": repr(text), "b": 2})),
    "JSON in JSON": (
        "application/json",
        lambda text: json.dumps({"detail": json.dumps({"m": text}), "b": 2}),
    ),
    "HTML in JSON": (
        "application/json",
        lambda text: json.dumps({"detail": f"<pre>{html.escape(text)}</pre>", "b": 2}),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_masked_to_its_end(name: str, form: str) -> None:
    """Its messages, its files, and the exceptions that caused it; what is around it stays."""
    if (name, form) == ("IPython", "HTML, not escaped"):
        pytest.skip("its arrow would end a comment")
    media, write = FORMS[form]
    body = write(TRACES[name])
    assert INNER in body
    out = scanned(body.encode(), media)[0].decode()
    assert INNER not in out
    assert len(out) == len(body)
    if media == "application/json":
        assert json.loads(out)["b"] == 2
    if form == "HTML":
        assert out.startswith("<h1>500</h1><pre>")
        assert out.endswith("<p>b</p>")


@pytest.mark.parametrize(
    "text",
    [
        '    Traceback (most recent call last):\n      File "shop/views.py", line 3, in pay\n',
        'Then Traceback (most recent call last):\n  File "shop/views.py", line 3, in pay\n',
        'Traceback (most recent call last):\n  File "views.py", line 3, in pay\n',
        'Traceback (most recent call last):\n  File "<shop/views>", line 3, in pay\n',
        '```\nTraceback (most recent call last):\n  File "shop/views.py", line 3, in pay\n```\n',
        '`Traceback (most recent call last):\n  File "shop/views.py", line 3, in pay`\n',
    ],
    ids=range(6),
)
def test_a_traceback_with_relative_paths_in_documentation_stays(text: str) -> None:
    """Indented, within a line, in a fence, or of a file without a folder."""
    for body in (text, f"As follows:\n\n{text}\nThe end.\n"):
        assert scanned(body.encode(), "text/markdown") == (body.encode(), [])
    body = json.dumps({"post": f"As follows:\n\n{text}"})
    assert scanned(body.encode(), "application/json") == (body.encode(), [])


LISTED: Final = (
    "chained",
    "group",
    "notes",
    "syntax",
    "recursion",
    "relative",
    "stack",
    "Node",
    "Java",
    ".NET",
)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("nested", [False, True], ids=["JSON", "JSON in JSON"])
@pytest.mark.parametrize("keepends", [False, True], ids=["lines", "lines with ends"])
@pytest.mark.parametrize("name", LISTED)
def test_each_line_of_a_trace_in_an_array_is_masked(
    name: str, *, keepends: bool, nested: bool, indent: int | None
) -> None:
    """The array keeps its items, and what is around it stays."""
    lines = TRACES[name].splitlines(keepends=keepends)
    document = {"a": [1, "x"], "trace": lines, "status": [500, "y"]}
    text = json.dumps(document, indent=indent)
    body = json.dumps({"m": text, "b": [2]}) if nested else text
    out = scanned(body.encode(), "application/json")[0]
    after = json.loads(out)
    if nested:  # the array becomes one text
        assert after["b"] == [2]
        assert INNER not in after["m"]
        inner = json.loads(after["m"])
        assert {**inner, "trace": 0} == {**document, "trace": 0}
        return
    assert {**after, "trace": 0} == {**document, "trace": 0}
    assert len(after["trace"]) == len(lines)
    # The first line may begin with the name of the exception.
    assert all(set(line) == {"*"} for line in after["trace"][1:] if line)
    assert INNER not in str(after["trace"])
    pieces = [body[at : at + 1].encode() for at in range(len(body))]
    assert streamed(pieces, "application/json") == out


def test_the_lines_that_python_formats_are_masked() -> None:
    """Frames with their code in one item, as ``format_exception()`` returns them."""
    try:
        raise ValueError(f"{INNER} [a, b]")
    except ValueError as error:
        lines = traceback.format_exception(error)
    body = json.dumps({"trace": [*lines, ""], "b": 2})
    out = json.loads(scanned(body.encode(), "application/json")[0])
    assert out["b"] == 2
    assert [set(line) for line in out["trace"]] == [{"*"}] * len(lines) + [set()]


@pytest.mark.parametrize("media", ["text/plain", None])
def test_blank_lines_do_not_end_a_traceback(media: str | None) -> None:
    """Between frames, between exceptions, and in a message that is all of the response."""
    text = TRACES["chained"].replace("\n  File", "\n\n  File")
    out = scanned(f"Failed.\n\n{text}\n\nThe next paragraph.\n".encode(), media)[0]
    assert out.startswith(b"Failed.\n\n****")
    assert out.endswith(b"*\n\nThe next paragraph.\n")
    assert not out[9:-22].strip(b"*\n")
    body = TRACES["notes"] + f"\n\na second paragraph of {INNER}\n"
    assert set(scanned(body.encode(), media)[0]) <= set(b"*\n")


@pytest.mark.parametrize("form", ["text", "HTML by Jinja", "JSON", "JSON in JSON"])
@pytest.mark.parametrize("name", ["chained", "group", "Node", "Java", "Go", "Rust", "Ruby", "PHP"])
def test_a_trace_is_masked_alike_over_any_cut(name: str, form: str) -> None:
    """Byte by byte."""
    media, write = FORMS[form]
    body = write(TRACES[name]).encode()
    pieces = [body[at : at + 1] for at in range(len(body))]
    assert streamed(pieces, media) == scanned(body, media)[0]
