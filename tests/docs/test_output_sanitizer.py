"""docs/output-sanitizer.md and its pages: the examples run, and the tables are true."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import OutputSanitizer, Secret, SecretLoader, SecretModel
from mantlet.redact import Registry
from mantlet.sanitize import JsonField, Leaks
from tests.docs.pages import DOCS, block_with, run
from tests.drive import Adapter, Answer, Said, both_adapters, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

OVERVIEW = "output-sanitizer.md"
LEAKS = "output-sanitizer/leaks.md"
BODIES = "output-sanitizer/bodies.md"
VALUE = "kR7-vT2_qX9.mB4w"
OTHER = "pL3.zN8-wC5_hD6y"
JSON = "application/json"


def rows(page: str, header: str) -> list[list[str]]:
    """Return the cells of a table of a page, by its first line."""
    table = (DOCS / page).read_text().partition(f"| {header} |")[2].partition("\n\n")[0]
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def codes(cell: str) -> list[str]:
    """Return what stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def send(adapter: Adapter, sanitizer: OutputSanitizer, body: str, media: str = JSON) -> str:
    """Return a body as the client gets it."""

    def app(carrier: Any) -> Said:
        return 200, [("content-type", media)], body.encode()

    answer: Answer = adapter.drive(adapter.wrap(app, sanitizer))
    assert (answer.status, answer.error) == (200, None)
    return answer.body.decode()


@both_adapters
def test_the_first_example_runs(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written."""
    monkeypatch.setenv("SIGNING_KEY", VALUE)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:{OTHER}@db.internal/shop")

    def app(carrier: Any) -> Said:
        body = f'{{"a": "{VALUE}", "user": {{"name": "x", "ssn": "1"}}, "password": "p"}}'
        return 200, [("content-type", JSON)], body.encode()

    names = run(OVERVIEW, block_with(OVERVIEW, "SIGNING_KEY"), app=adapter.wrap(app))
    answer = adapter.drive(adapter.wrap(app, names["sanitizer"]))
    assert answer.body == b'{"a": "****************", "user": {"name": "x"}, "password": "***"}'


@both_adapters
def test_the_first_example_on_leaks(adapter: Adapter) -> None:
    """Secrets and cards are masked, and a rule that is disabled finds nothing."""
    code = block_with(LEAKS, 'ignore={"os-error"}')
    sanitizer = run(LEAKS, code, signing_key=VALUE, database_url=OTHER)["sanitizer"]
    assert send(adapter, sanitizer, f'["{OTHER}"]') == '["****************"]'
    assert send(adapter, sanitizer, '["4111 1111 1111 1111"]') == f'["{"*" * 19}"]'
    text = "[\"[Errno 2] No such file or directory: '/srv/app/x'\"]"
    assert send(adapter, sanitizer, text) == text
    assert send(adapter, OutputSanitizer(), text) != text


@both_adapters
def test_patterns_of_your_own(adapter: Adapter) -> None:
    """By the literal that the expression begins with, or by one that is given."""
    sanitizer = run(LEAKS, block_with(LEAKS, "Pattern("))["sanitizer"]
    sent = send(adapter, sanitizer, '["EMP-123456", "case-1234", "EMP-12345"]')
    assert sent == '["**********", "*********", "EMP-12345"]'


@both_adapters
def test_secrets_rotate(adapter: Adapter) -> None:
    """The old one is masked too."""
    code = block_with(LEAKS, "registry.replace")

    def app(carrier: Any) -> Said:
        return 200, [("content-type", JSON)], f'["{VALUE}", "{OTHER}"]'.encode()

    names = run(
        LEAKS,
        code,
        mantlet=mantlet,
        OutputSanitizer=OutputSanitizer,
        app=adapter.wrap(app),
        old_key=VALUE,
        new_key=OTHER,
    )
    assert isinstance(names["registry"], Registry)
    assert adapter.drive(names["app"]).body == b'["****************", "****************"]'


def test_every_reported_id_is_in_the_page() -> None:
    """Those that the headers and bodies report, besides the ids of leaks."""
    source = DOCS.parent / "src" / "mantlet" / "sanitize"
    text = "".join(path.read_text() for path in source.rglob("*.py"))
    reported = set(re.findall(r'report[(,][^"()]*"([a-z-]+)"', text))
    reported |= set(re.findall(r'"([a-z]+-content-type)"', text))
    reported |= set(re.findall(r'"(cookie-(?:prefix|samesite))"', text))
    shown = {name for cells in rows(LEAKS, "id | reported where") for name in codes(cells[0])}
    assert {"too-many-cookies", "missing-content-type", "header-injection"} <= reported
    assert shown == reported


def masked() -> Iterator[Any]:
    """The table of names in `mask=`, one name at a time."""
    for option, matching, other in rows(BODIES, "`mask=` | matches | does not match"):
        (name,) = codes(option)
        if name.startswith('"/'):
            continue  # the next test
        for cell, expected in ((matching, True), (other, False)):
            for one in codes(cell):
                yield pytest.param(name.strip('"'), one, expected, id=f"{name}-{one}")


@pytest.mark.parametrize(("name", "member", "expected"), [*masked()])
def test_names_to_mask(name: str, member: str, expected: bool) -> None:
    """As the table says."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", JSON)])
        return [f'{{"{member}": "value"}}'.encode()]

    body = drive_wsgi(mantlet.wrap(app, OutputSanitizer(mask=[name]))).body
    assert (b"value" not in body) is expected


@both_adapters
def test_pointers_to_mask(adapter: Adapter) -> None:
    """They match exactly."""
    body = '{"user": {"ssn": "1", "SSN": "2"}, "ssn": "3"}'
    sent = send(adapter, OutputSanitizer(mask=["/user/ssn"]), body)
    assert sent == '{"user": {"ssn": "***", "SSN": "2"}, "ssn": "3"}'


def test_html_of_handlers() -> None:
    """Each function takes what the page gives it."""
    run(BODIES, block_with(BODIES, "json_script"), comment="<b>x</b>", name="x", data={"a": 1})


@pytest.mark.parametrize("events", [1, 8, 9, 10])
def test_secrets_over_several_events(events: int) -> None:
    """Over up to nine of them, as the page says."""
    code = block_with(BODIES, "across=8").strip()
    options = run(BODIES, f"policy = {code}", OutputSanitizer=OutputSanitizer, Leaks=Leaks)
    assert options["policy"] is not None
    policy = OutputSanitizer(leaks=Leaks(across=8), secrets=[VALUE])
    size = -(-len(VALUE) // events)
    parts = [VALUE[at : at + size] for at in range(0, len(VALUE), size)]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return [f'data: {{"text": "{part}"}}\n\n'.encode() for part in parts]

    body = drive_wsgi(mantlet.wrap(app, policy)).body.decode()
    sent = "".join(re.findall(r'"text": "([^"]*)"', body))
    assert sent == "*" * len(VALUE)


@both_adapters
def test_what_it_stops(adapter: Adapter) -> None:
    """The rows of the overview that have a body."""
    sanitizer = OutputSanitizer(mask=[JsonField("/user/ssn", action="drop")], html={"* /*": "ugc"})
    table = {
        cells[0]: cells[1:] for cells in rows(OVERVIEW, "an app that | sends | the client gets")
    }
    for row, media in (
        ("echoes markup in JSON", JSON),
        ("serializes more than it should", JSON),
        ("serves user content", "text/html"),
    ):
        sends, gets = (codes(cell)[0] for cell in table[row])
        sent = send(adapter, sanitizer, sends.replace("...", ""), media)
        assert sent.startswith(gets.partition("...")[0])
        assert "..." in gets or sent == gets


@both_adapters
def test_a_loader_is_taken_for_secrets(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the comment in the first example says."""
    monkeypatch.setenv("KEY", VALUE)

    class AppSecrets(SecretModel):
        key: Secret[str]

    sanitizer = OutputSanitizer(secrets=SecretLoader(AppSecrets))
    assert send(adapter, sanitizer, f'["{VALUE}"]') == '["****************"]'
