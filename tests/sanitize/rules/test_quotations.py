"""Errors that documentation and source code quote stay; a user's text makes no quotation of one."""

from __future__ import annotations

import html
import json
from typing import Final

import pytest

from tests.sanitize.rules.test_rules import scanned, streamed

MESSAGES: Final = (
    'relation "users" does not exist', "UNIQUE constraint failed: users.email",
    "ORA-00942: table or view does not exist", 'DETAIL:  Key (email)=(a) already exists.',
    "sqlalchemy.exc.ArgumentError: Column expression expected",
    "canceling statement due to user request",
    "An error occurred (NotFound) when calling the GetItem operation: no such item",
)  # fmt: skip
#: As DocBook, docutils and Pygments write sessions.
DOCUMENTATION: Final = {
    "DocBook": '<p>You get:</p><pre class="screen">\nSELECT 1;\nERROR:  %s\n</pre>',
    "DocBook, first": '<pre class="programlisting">\n%s\n</pre>',
    "DocBook, output": '<pre>x <code class="computeroutput">ERROR:  %s</code></pre>',
    "docutils": '<pre class="literal-block">\n&gt;&gt;&gt; a()\n%s\n</pre>',
    "Pygments": '<div class="highlight"><pre><span></span>a()\n%s\n</pre></div>',
    "Pygments, output": '<span class="gp">=&gt;</span> a\n<span class="go">%s</span>\n',
    "Pygments, prefix": '<span class="go">ProgrammingError: %s</span>\n',
}
#: Programs that look for an error.
CODE: Final = {
    "includes": 'if (e.message.includes("%s")) {',
    "match": "if (error.message.match('%s')) {",
    "indexOf": 'ok = text.indexOf("%s") < 0',
}
#: What stands in an error page instead, and beside quotations.
PAGES: Final = (
    "<h1>500</h1><pre>%s</pre>",
    '<pre class="error">%s</pre>',
    '<pre class="screen">a</pre><pre>%s</pre>',
    '<pre class="screen">a</pre><p>%s</p>',
    '<span class="error">%s</span>',
    '<p>&lt;pre class="screen"&gt;</p><p>%s</p>',
    "<p>the error <b>%s</b></p>",
)


@pytest.mark.parametrize("form", DOCUMENTATION)
@pytest.mark.parametrize("message", MESSAGES)
def test_documentation_stays(message: str, form: str) -> None:
    """Whole, and however it is cut."""
    body = (DOCUMENTATION[form] % html.escape(message)).encode()
    assert scanned(body, "text/html") == (body, [])
    assert streamed([body[at : at + 1] for at in range(len(body))], "text/html") == body


@pytest.mark.parametrize("form", CODE)
@pytest.mark.parametrize("media", ["text/javascript", "text/plain", "application/json"])
@pytest.mark.parametrize("message", [one for one in MESSAGES if '"' not in one])
def test_code_about_an_error_stays(message: str, media: str, form: str) -> None:
    """As a file, and in the JSON of a source map."""
    text = CODE[form] % message
    body = (json.dumps({"sources": [text]}) if media == "application/json" else text).encode()
    assert scanned(body, media) == (body, [])


@pytest.mark.parametrize("message", [one for one in MESSAGES if '"' not in one])
def test_what_a_script_throws_stays(message: str) -> None:
    """In a file with a script; in other texts a client may have written what is before an error."""
    body = f"throw new Error('{message}');".encode()
    assert scanned(body, "text/javascript") == (body, [])
    for words in ("raise", "throw new", "you get the following error:", ">>> a()\n"):
        for media in ("text/plain", "text/html", "application/json"):
            text = f"{words} OperationalError('{message}')"
            told = scanned((json.dumps(text) if "json" in media else text).encode(), media)[1]
            assert bool(told) is bool(scanned(f"OperationalError('{message}')".encode())[1])


@pytest.mark.parametrize("media", ["text/x-python", "text/x-csrc", "text/x-perl", "text/x-rst"])
@pytest.mark.parametrize("message", MESSAGES)
def test_source_code_stays(message: str, media: str) -> None:
    """No error of an app has its media type."""
    body = f"# {message}\nmessages = [\n    {message!r},\n]\n{message}\n".encode()
    assert scanned(body, media) == (body, [])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("message", MESSAGES)
def test_an_error_on_a_page_is_no_quotation(message: str, page: str) -> None:
    """Nor where a user has written the markup of one."""
    body = (page % html.escape(message)).encode()
    out, told = scanned(body, "text/html")
    assert told
    assert html.escape(message).encode() not in out


@pytest.mark.parametrize("message", MESSAGES)
def test_markup_in_json_makes_no_quotation(message: str) -> None:
    """A block of documentation in one string does not concern the next."""
    body = json.dumps({"q": '<pre class="screen"><code>', "error": message}).encode()
    out, told = scanned(body, "application/json")
    assert told
    after = json.loads(out)["error"]
    assert "*" in after
    assert "users" not in after


@pytest.mark.parametrize(
    "text",
    [
        "django.db.models.signals: Signals sent by the model system.",
        "see sqlalchemy.exc.ArgumentError",
        "2:  UNIQUE constraint failed: P4",
        'invalid input syntax for type %s: "%s"',
        'connection to server at "%s" (%s), port %s failed: ',
        "Can't connect to MySQL server on '%-.100s:%u' (%s)",
        'conflicted with the REFERENCE constraint "(.*)". The conflict',
        "background: url(?__debugger__=yes&cmd=resource&f=more.png)",
    ],
    ids=range(8),
)
def test_what_is_no_error_stays(text: str) -> None:
    """Names of modules, formats, expressions, comments and sessions."""
    assert scanned(text.encode()) == (text.encode(), [])
    body = f'<a title="{html.escape(text)}">'.encode()
    assert scanned(body, "text/html") == (body, [])


def test_a_traceback_in_an_indented_session_stays() -> None:
    """As in the sources of documentation; one without a prompt is masked."""
    text = (
        "So:\n\n    >>> a()\n    Traceback (most recent call last):\n"
        '      File "/usr/a.py", line 2, in a\n'
    )
    assert scanned(text.encode()) == (text.encode(), [])
    assert scanned(text.replace(">>> a()", "a()").encode())[1] == ["python-traceback"]


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["ValueError", "shop.Exception"])
def test_many_errors_without_a_trace_are_no_flood(name: str) -> None:
    """One in 32 bytes and more is looked at: in a log, and in JSON about rejected rows."""
    log = f"2026-11-30 12:00:00 {name}: bad name\n".encode() * 30_000
    assert scanned(log, "text/plain") == (log, [])
    rows = json.dumps([{"error": f"{name}: bad name"}] * 30_000).encode()
    assert scanned(rows, "application/json") == (rows, [])
