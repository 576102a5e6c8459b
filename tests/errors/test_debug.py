"""Who sees a traceback, and who does not."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from mantlet import ErrorEnvelope, Problem
from mantlet.errors.debug import VARIABLES
from tests.drive import Adapter, Answer, Said, both_adapters
from tests.errors.test_mapping import raising
from tests.errors.test_rendering import page_of

SECRET = "s3cr3t-pa55w0rd"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say nothing of where this is."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class CanaryError(Exception):
    """What a traceback is recognised by."""


def failing(carrier: Any) -> Said:
    local_value = SECRET
    raise CanaryError(local_value)


def debugging(**options: Any) -> ErrorEnvelope:
    with pytest.warns(UserWarning, match="shows tracebacks"):
        return ErrorEnvelope(debug=True, **options)


def ask(
    adapter: Adapter,
    handler: Any = failing,
    *fields: tuple[str, str],
    client: str | None = "127.0.0.1",
    host: str | None = "localhost:8000",
    accept: str | None = BROWSER,
    method: str = "GET",
    envelope: ErrorEnvelope | None = None,
) -> Answer:
    """Return what a client gets, by default a developer's own browser."""
    headers = [*fields]
    options: dict[str, Any] = {}
    if accept is not None:
        headers.append(("Accept", accept))
    if host is not None:
        headers.append(("Host", host))
    elif adapter.name == "wsgi":
        options["environ"] = {"HTTP_HOST": ...}
    stack = adapter.wrap(handler, envelope or debugging())
    answer = adapter.drive(stack, method, headers=headers, client=client, **options)
    assert answer.error is None
    return answer


def assert_shown(answer: Answer) -> None:
    """Assert that this is the traceback's page."""
    assert answer.status == 500
    assert answer.get("Content-Type") == "text/html; charset=utf-8"
    (text,) = page_of(answer).texts["pre"]
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in failing" in text
    assert f"CanaryError: {SECRET}\n" in text


def assert_hidden(answer: Answer, accept: str | None = BROWSER) -> None:
    """Assert that this is what it would be without debugging."""
    assert answer.status == 500
    for needle in (SECRET, "CanaryError", "Traceback", "failing", ".py", "<pre>"):
        assert needle not in answer.text()
    assert "Internal Server Error" in answer.text()
    if accept == BROWSER:
        assert page_of(answer).texts["h1"] == ["Internal Server Error"]


# -- who sees it ----------------------------------------------------------------------------------


@both_adapters
def test_a_developers_own_browser_sees_the_traceback(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """As a page that nothing runs on and nothing keeps, and it is logged all the same."""
    answer = ask(adapter)
    assert_shown(answer)
    assert answer.get("Cache-Control") == "no-store"
    assert answer.get("X-Request-ID")
    assert answer.get("Content-Length") == str(len(answer.body))
    policy = answer.get("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    page = page_of(answer)
    assert page.texts["title"] == page.texts["h1"] == ["500 CanaryError"]
    assert page.tags.count("main") == 1
    assert "script" not in page.tags
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@both_adapters
def test_it_is_off_by_default(adapter: Adapter) -> None:
    """Nobody sees anything that was not asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = [ErrorEnvelope(), ErrorEnvelope(debug=False)]
    for envelope in plain:
        assert_hidden(ask(adapter, envelope=envelope))


@both_adapters
@pytest.mark.parametrize(
    "client",
    [
        *("127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1"),
        *("::ffff:127.0.0.1", "::FFFF:127.8.9.10", "::ffff:7f00:1"),
    ],
)
def test_a_client_on_this_machine_sees_it(adapter: Adapter, client: str) -> None:
    """By any of the addresses that do not leave it (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3)."""
    assert_shown(ask(adapter, client=client))


@both_adapters
@pytest.mark.parametrize(
    "client",
    [
        *(None, "", "192.0.2.1", "10.0.0.1", "192.168.0.1", "172.17.0.1", "169.254.1.1", "0.0.0.0"),
        *("128.0.0.1", "126.255.255.255", "::", "::2", "fe80::1", "fc00::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "::ffff:128.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "testclient"),
        *("localhost", "unix:", "127.1", "0127.0.0.1", "2130706433", "0x7f000001", "127.0.0.1:80"),
        *("127.0.0.1, 10.0.0.1", "127.0.0.1\x00", "[::1]", "127.0.0.1/8", "127.0.0.1.evil.example"),
    ],
)
def test_a_client_elsewhere_or_of_no_known_place_does_not(
    adapter: Adapter, client: str | None
) -> None:
    """Also one in the same network, or behind a Unix socket."""
    assert_hidden(ask(adapter, client=client))


@both_adapters
@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LOCALHOST:8000", "shop.localhost", "a.b.localhost:80"),
        *("127.0.0.1", "127.0.0.1:8000", "127.1.2.3:80", "[::1]", "[::1]:8000", "localhost:65535"),
    ],
)
def test_a_browser_that_asks_for_this_machine_sees_it(adapter: Adapter, host: str) -> None:
    """By a name that nobody else can point at it (RFC 6761, 6.3)."""
    assert_shown(ask(adapter, host=host))


@both_adapters
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("localhost:80@evil", "localhost:80@evil.example", "evil.example@localhost", "", " "),
        *(
            "evil.example#localhost",
            "evil.example/localhost",
            "evil.example?localhost",
            "notlocalhost",
        ),
        *("localhost.", "localhost:", "localhost:x", "localhost:8000:8000", "localhost:123456"),
        *("local host", "localhost\t", "localhost, evil.example", "evil.example, localhost"),
        *("127.0.0.1:8000, evil.example", "127.0.0", "127.0.0.1.1", "1270.0.0.1", "0.0.0.0"),
        *("[::1", "::1", "[::2]", "[::1].evil.example", "[::1]evil", "[::ffff:127.0.0.1]x"),
        *(".localhost", "evil..localhost", "localhost.localdomain", "192.168.0.1", "xn--localhost"),
        *("10.0.0.1:8000", "127-0-0-1.evil.example", "127.0.0.1.nip.io", "localtest.me", "*"),
        *("loca\u00adlhost", "localho\u017ft".encode().decode("latin-1"), "\xff"),
    ],
    ids=ascii,
)
def test_a_browser_that_asks_for_another_name_does_not(adapter: Adapter, host: str) -> None:
    """Somebody else's name may lead here: DNS rebinding."""
    assert_hidden(ask(adapter, host=host))


@both_adapters
def test_a_browser_that_names_no_host_or_two_does_not(adapter: Adapter) -> None:
    """No browser does so."""
    assert_hidden(ask(adapter, host=None))
    assert_hidden(ask(adapter, failing, ("Host", "localhost"), host="evil.example"))
    assert_hidden(ask(adapter, failing, ("Host", "evil.example"), host="localhost"))
    assert_hidden(ask(adapter, failing, ("Host", "localhost"), host="localhost"))


@both_adapters
@pytest.mark.parametrize(
    "name",
    [
        *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
        *("X-Real-IP", "x-forwarded-for", "FORWARDED"),
    ],
)
@pytest.mark.parametrize("value", ["127.0.0.1", "for=127.0.0.1", ""])
def test_what_came_through_a_proxy_does_not(adapter: Adapter, name: str, value: str) -> None:
    """Its client may be anywhere, whatever the field says."""
    assert_hidden(ask(adapter, failing, (name, value)))


@both_adapters
@pytest.mark.parametrize(
    "accept",
    [
        *(None, "", "*/*", "application/json", "application/problem+json", "text/plain"),
        *(
            "application/json, text/plain, */*",
            "text/html;q=0",
            "text/html;q=0.5, application/json",
        ),
        *("image/avif,image/webp,*/*;q=0.8", "text/html, application/problem+json"),
    ],
)
def test_a_program_gets_the_problem(adapter: Adapter, accept: str | None) -> None:
    """A page is for whoever likes a page best."""
    answer = ask(adapter, accept=accept)
    assert_hidden(answer, accept)
    assert "html" not in (answer.get("Content-Type") or "")


@both_adapters
@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (raising(Problem(404, detail="No such order.")), 404),
        (raising(LookupError(SECRET)), 409),
        (lambda _: (404, [("content-type", "text/plain")], b"of the app"), 404),
    ],
    ids=["problem", "mapped", "of the app"],
)
def test_what_is_no_failure_of_the_server_has_no_traceback(
    adapter: Adapter, handler: Any, status: int
) -> None:
    """A 404 looks as it will look in production."""
    answer = ask(adapter, handler, envelope=debugging(exceptions={LookupError: 409}))
    assert answer.status == status
    assert "Traceback" not in answer.text()
    assert SECRET not in answer.text()


@both_adapters
def test_a_failure_that_is_mapped_to_a_5xx_keeps_its_status(adapter: Adapter) -> None:
    """The page says both."""
    answer = ask(adapter, envelope=debugging(exceptions={CanaryError: 503}))
    assert answer.status == 503
    assert page_of(answer).texts["h1"] == ["503 CanaryError"]


@both_adapters
def test_head_has_the_fields_and_no_body(adapter: Adapter) -> None:
    """As for any page."""
    answer = ask(adapter, method="HEAD")
    assert (answer.status, answer.body) == (500, b"")
    assert answer.get("Content-Type") == "text/html; charset=utf-8"


# -- what it shows --------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "</pre></main></body></html><script>alert(1)</script>",
        "<!-- x -->",
        "&lt;&amp;&#60;",
        "\"'`{title}{content}%s{0}",
        "a\r\n\r\n<html>",
        "\x00\x1b[31m\x08\x7f\x85",
        "\ud800\udfff",
        "\ufffe\uffff\u2028\u202e",
        "gr\u00fc\u00dfe \U0001f600",
    ],
    ids=ascii,
)
def test_whatever_an_exception_says_is_text(adapter: Adapter, text: str) -> None:
    """In its message, its notes, its cause and its class's name."""
    name = text.encode("utf-8", "replace").decode().replace("\x00", "")
    error = type(name, (Exception,), {})(text)
    error.add_note(text)
    error.__cause__ = LookupError(text)
    answer = ask(adapter, raising(error))
    answer.body.decode()
    page, plain = page_of(answer), page_of(ask(adapter))
    assert page.elements == plain.elements
    assert page.comments == []
    if text.isprintable():
        assert page.texts["pre"][0].count(text) >= 3
        assert page.texts["h1"] == [f"500 {text}"]


@both_adapters
def test_causes_and_groups_are_shown(adapter: Adapter) -> None:
    """As Python prints them."""

    def handler(carrier: Any) -> Said:
        try:
            raise KeyError("the root")
        except KeyError as inner:
            raise ExceptionGroup("the group", [CanaryError("one"), OSError("two")]) from inner

    (text,) = page_of(ask(adapter, handler)).texts["pre"]
    for part in ("KeyError: 'the root'", "the group", "CanaryError: one", "OSError: two"):
        assert part in text


@both_adapters
def test_of_a_long_traceback_the_end_is_shown(adapter: Adapter) -> None:
    """What went wrong stands there."""
    answer = ask(adapter, raising(CanaryError("x" * 5_000_000 + "the end")))
    assert answer.status == 500
    assert len(answer.body) < 300_000
    assert "the end" in answer.body.decode()


class Mute(Exception):
    """An exception that can't say what it is."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)

    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


@both_adapters
def test_an_exception_that_cannot_say_what_it_is_is_shown(adapter: Adapter) -> None:
    """Its class and its place are."""
    answer = ask(adapter, raising(Mute()))
    assert answer.status == 500
    assert page_of(answer).texts["h1"] == ["500 Mute"]
    assert "in handler" in page_of(answer).texts["pre"][0]


class Thorny(Exception):
    """An exception that raises when it is looked at."""

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]  # what is tested
        raise RuntimeError(SECRET)


def _broken_syntax_error() -> SyntaxError:
    error = SyntaxError("x")
    error.lineno = 1
    error.text = 42  # type: ignore[assignment]  # as some parsers of templates have it
    return error


@both_adapters
@pytest.mark.parametrize("error", [Thorny(), _broken_syntax_error()], ids=["notes", "syntax"])
def test_an_exception_that_cannot_be_shown_is_a_clean_500(
    adapter: Adapter, error: Exception
) -> None:
    """Whatever goes wrong over it, nothing but an answer gets out."""
    answer = ask(adapter, raising(error))
    assert answer.status == 500
    assert SECRET not in answer.text()


# -- where it may be switched on ------------------------------------------------------------------


def test_it_warns_where_it_is_switched_on() -> None:
    """The warning names the line that did it."""
    with pytest.warns(UserWarning, match=r"debug=True.*tracebacks") as caught:
        ErrorEnvelope(debug=True)
    (warning,) = caught
    assert warning.filename == __file__


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(
    "value", ["production", "Production", "PRODUCTION", "prod", "Live", " prod "]
)
def test_it_is_refused_in_production(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an error that names the variable that says so."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=rf"debug must not be True: {name} says"):
        ErrorEnvelope(debug=True)
    ErrorEnvelope(debug=False)


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(
    "value", ["", "development", "dev", "test", "local", "nonproduction", "preprod", "not live"]
)
def test_it_is_not_refused_elsewhere(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What merely sounds like production is none."""
    monkeypatch.setenv(name, value)
    assert debugging().debug is True


@pytest.mark.parametrize("name", ["HOME_ENV", "MY_ENVIRONMENT", "XAPP_ENV"])
def test_other_variables_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may mean anything."""
    monkeypatch.setenv(name, "production")
    assert debugging().debug is True


def test_one_that_says_production_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the others say."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "development")
    monkeypatch.setenv("STAGE", "production")
    with pytest.raises(ValueError, match="STAGE"):
        ErrorEnvelope(debug=True)


def test_the_usual_names_of_an_environment_are_known() -> None:
    """Those of the frameworks that are wrapped, and of what others agree on."""
    usual = {"APP_ENV", "DJANGO_ENV", "ENV", "ENVIRONMENT", "FASTAPI_ENV", "FLASK_ENV", "NODE_ENV"}
    assert usual <= set(VARIABLES)


@both_adapters
def test_a_request_in_http_1_0_is_a_proxys(adapter: Adapter) -> None:
    """It is what nginx speaks by default, adding no field that says so; no browser does."""
    envelope = debugging()
    for version, shown in (("1.1", True), ("2", True), ("1.0", False)):
        carrier: Any = {"scope": {"http_version": version}}
        if adapter.name == "wsgi":
            carrier = {"environ": {"SERVER_PROTOCOL": f"HTTP/{version}"}}
        fields = [("Host", "localhost"), ("Accept", BROWSER)]
        stack = adapter.wrap(failing, envelope)
        answer = adapter.drive(stack, headers=fields, client="127.0.0.1", **carrier)
        assert (SECRET.encode() in answer.body) is shown
