"""The loader's mode decides what happens to values that break a rule, and to nothing else."""

import logging
from pathlib import Path
from typing import Any

import pytest

import mantlet
from mantlet.core.modes import Mode
from mantlet.secrets import (
    Environment,
    Secret,
    SecretFiles,
    SecretLoader,
    SecretModel,
    SecretsError,
    secret_field,
)
from tests.drive import Adapter, both_adapters
from tests.secrets.sources.test_local import mount

GOOD = "kR7-vT2_qX9.mB4w"
PLACEHOLDER = "changeme-9"


class App(SecretModel, prefix="APP_"):
    token: Secret[str]
    key: Secret[str] = secret_field(pattern=r"sk_\w+")


WEAK = {"APP_TOKEN": PLACEHOLDER, "APP_KEY": GOOD, "APP_TOKENN": GOOD}
PROBLEMS = (
    "token: is a placeholder; allow_weak=True accepts it (environment APP_TOKEN)",
    "key: does not match its pattern (environment APP_KEY)",
    "environment APP_TOKENN: is not a secret of the app: did you mean APP_TOKEN?",
)


def load(environ: dict[str, str], mode: Mode) -> SecretLoader[App]:
    """Return a loader of variables."""
    return SecretLoader(App, sources=[Environment(environ)], mode=mode)


def test_report_logs_broken_rules_and_uses_the_values(caplog: pytest.LogCaptureFixture) -> None:
    """Once each, without the value, and marked in the report."""
    loader = load(WEAK, "report")
    assert loader.problems == PROBLEMS
    assert [one.getMessage() for one in caplog.records] == [
        f"SecretLoader would have rejected: {problem}" for problem in PROBLEMS
    ]
    assert [(one.state, one.note) for one in loader.report] == [
        ("reported", "is a placeholder; allow_weak=True accepts it"),
        ("reported", "does not match its pattern"),
    ]
    assert loader.current.token.reveal() == PLACEHOLDER
    caplog.clear()
    loader.reload()
    assert not caplog.records


def test_report_logs_rules_that_a_rotation_breaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The new value is used nevertheless."""
    mount(tmp_path, "1", token=GOOD, key="sk_kR7vT2qX9")
    loader = SecretLoader(App, sources=[SecretFiles(tmp_path)], mode="report")
    assert loader.problems == ()
    mount(tmp_path, "2", token=PLACEHOLDER, key="sk_kR7vT2qX9")
    with caplog.at_level(logging.WARNING):
        assert loader.reload() == {"token"}
    assert "SecretLoader would have rejected: token: is a placeholder" in caplog.text
    assert loader.current.token.reveal() == PLACEHOLDER


def test_off_only_parses(caplog: pytest.LogCaptureFixture) -> None:
    """No rule is checked or logged."""
    loader = load(WEAK, "off")
    assert loader.problems == ()
    assert [one.state for one in loader.report] == ["ok", "ok"]
    assert loader.current.token.reveal() == PLACEHOLDER
    assert not caplog.records


@pytest.mark.parametrize("mode", ["enforce", "report", "off"])
@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"APP_TOKEN": GOOD}, "key: is missing"),
        ({"APP_TOKEN": " ", "APP_KEY": GOOD}, "token: is empty"),
        ({"APP_TOKEN": GOOD, "APP_KEY_FILE": "/nonexistent"}, "key: names a file"),
    ],
    ids=["missing", "empty", "unreadable"],
)
def test_a_secret_without_a_value_is_an_error_in_each_mode(
    mode: Mode, environ: dict[str, str], problem: str
) -> None:
    """The app could not run without it."""
    with pytest.raises(SecretsError, match=problem):
        load(environ, mode)


def test_enforce_is_the_default() -> None:
    """The error lists all broken rules."""
    with pytest.raises(SecretsError) as told:
        SecretLoader(App, sources=[Environment(WEAK)])
    assert told.value.problems == PROBLEMS


@pytest.mark.parametrize("mode", ["report", "off"])
def test_the_environment_overrides_the_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``MANTLET_MODE`` applies to every policy."""
    monkeypatch.setenv("MANTLET_MODE", mode)
    assert SecretLoader(App, sources=[Environment(WEAK)]).current.token.reveal() == PLACEHOLDER


@both_adapters
@pytest.mark.parametrize("mode", ["enforce", "report", "off"])
def test_the_app_has_its_secrets_in_each_mode(adapter: Adapter, mode: Mode, tmp_path: Path) -> None:
    """Also after a rotation."""
    mount(tmp_path, "1", token=GOOD, key="sk_kR7vT2qX9")
    loader = SecretLoader(App, sources=[SecretFiles(tmp_path)], mode=mode, poll_interval=0)
    seen: list[str] = []

    def handler(raw: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        seen.append(mantlet.state(raw).secrets.token.reveal())
        return 200, [("content-type", "text/plain")], b"ok"

    app = mantlet.wrap(adapter.app(handler), loader, baseline=False)
    adapter.drive(app)
    mount(tmp_path, "2", token=f"{GOOD}2", key="sk_kR7vT2qX9")
    adapter.drive(app)
    assert seen == [GOOD, f"{GOOD}2"]


@pytest.mark.parametrize("mode", ["shadow", {"GET /": "off"}, None])
def test_other_modes_are_refused(mode: object) -> None:
    """So are modes by route, since secrets have no routes."""
    with pytest.raises((TypeError, ValueError), match="mode must be"):
        SecretLoader(App, sources=[Environment(WEAK)], mode=mode)  # type: ignore[arg-type]  # what is tested
