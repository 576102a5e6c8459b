"""One error lists all problems, each request has one snapshot, and changes apply as a whole."""

import asyncio
import logging
import os
import signal
from base64 import b64encode
from collections.abc import Awaitable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

import mantlet
from mantlet.secrets import (
    DotEnv,
    Environment,
    RejectedValue,
    Secret,
    SecretField,
    SecretFiles,
    SecretLoader,
    SecretModel,
    SecretsError,
    SecretSource,
    SourceError,
    SourceValue,
    SystemdCredentials,
    secret_field,
)
from tests.drive import ADAPTERS, Adapter, both_adapters, hello
from tests.internal.test_locks import in_child
from tests.secrets.sources.test_local import mount, write

OLD, NEW = "old-kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"


class App(SecretModel):
    token: Secret[str]
    password: Secret[str]
    spare: Secret[str] | None = None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Store(SecretSource):
    """A remote source with values set by a test."""

    name = "store"
    is_remote = True
    lifetime: float | None = 100.0

    def __init__(self, **values: str) -> None:
        self.values: dict[str, str] = values
        self.error: Exception | None = None
        self.asked: list[list[str]] = []

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceValue | RejectedValue]:
        """Return the values."""
        self.asked.append([field.name for field in fields])
        if self.error is not None:
            raise self.error
        return {
            f.name: SourceValue(self.values[f.name], f.name)
            for f in fields
            if f.name in self.values
        }


# -- at the start ---------------------------------------------------------------------------------


class Everything(SecretModel, prefix="APP_"):
    missing: Secret[str]
    empty: Secret[str]
    short: Secret[bytes] = secret_field(min_length=32)
    guessable: Secret[str]
    malformed: Secret[int]
    unmatched: Secret[str] = secret_field(pattern=r"sk_\w+")
    placeholder: Secret[str]
    copied: Secret[str]
    readable: Secret[str]
    twice: Secret[str]
    good: Secret[str]


def test_all_problems_are_told_at_once_and_no_value(tmp_path: Path) -> None:
    """Each problem has its location, or every place that was searched."""
    values = {
        "EMPTY": "",
        "SHORT": "s7-kR7-vT2",
        "GUESSABLE": "kkkkkkkkkkkk",
        "MALFORMED": "n0t-a-number-4Kx",
        "UNMATCHED": "pk_7Hg5Kd8Lw2",
        "PLACEHOLDER": "changeme-9",
        "COPIED": "dev-v4Kx8Lw2qX9",
        "TWICE": "t7-vT2_qX9.mB4w",
        "TWICE_FILE": "/nonexistent",
        "GOOD": "g7-vT2_qX9.mB4w",
        "MISING": "m7-vT2_qX9.mB4w",
    }
    environ = {f"APP_{name}": value for name, value in values.items()}
    example = write(tmp_path / ".env.example", f"APP_COPIED={values['COPIED']}\nAPP_GOOD=\n", 0o644)
    write(tmp_path / "files" / "readable", "r7-vT2_qX9.mB4w", 0o644)
    broken = write(tmp_path / ".env", f"APP_MISSING='{OLD}\n")
    files = str(tmp_path / "files")
    sources = [Environment(environ), SecretFiles(files), DotEnv(broken)]
    with pytest.raises(SecretsError) as told:
        SecretLoader(Everything, sources=sources, example_file=example)
    everybody = (
        "is readable by every user of this machine: chmod 600, or set allow_world_readable=True"
    )
    tried = f"environment APP_MISSING, {files}/missing, {broken} APP_MISSING"
    assert set(told.value.problems) == {
        f"{broken}: can't be parsed in line 1: a quote is not closed, or text follows it",
        f"missing: is missing (tried {tried}; did you mean environment APP_MISING?)",
        "empty: is empty (environment APP_EMPTY)",
        "short: is shorter than 32 bytes (environment APP_SHORT)",
        "guessable: is a placeholder; allow_weak=True accepts it (environment APP_GUESSABLE)",
        "malformed: is malformed (int_parsing) (environment APP_MALFORMED)",
        "unmatched: does not match its pattern (environment APP_UNMATCHED)",
        "placeholder: is a placeholder; allow_weak=True accepts it (environment APP_PLACEHOLDER)",
        "copied: is the value from the example file (environment APP_COPIED)",
        f"readable: {everybody} ({files}/readable)",
        "twice: is set, and so is APP_TWICE_FILE: unset one of them (environment APP_TWICE)",
        "environment APP_MISING: is not a secret of the app: did you mean APP_MISSING?",
    }
    text = str(told.value)
    assert text.startswith("SecretLoader: Everything: 12 problems with the secrets\n  - ")
    assert not any(value and value in text for value in values.values())
    states = {entry.name: entry.state for entry in told.value.report}
    assert states == dict.fromkeys(states, "invalid") | {"missing": "missing", "good": "ok"}


def test_the_first_source_that_has_a_value_wins_and_the_report_says_which(tmp_path: Path) -> None:
    """The order of the sources is the order of precedence."""
    write(tmp_path / "files" / "token", OLD)
    write(tmp_path / "files" / "password", OLD)
    dotenv = write(tmp_path / ".env", f"PASSWORD={NEW}\n")
    sources = [
        Environment({"TOKEN": NEW}),
        DotEnv(dotenv),
        SecretFiles(tmp_path / "files"),
        SystemdCredentials(),
    ]
    loader = SecretLoader(App, sources=sources)
    assert loader.current.token.reveal() == NEW
    assert loader.current.password.reveal() == NEW
    assert loader.current.spare is None
    token, password, spare = loader.report
    assert (token.state, token.location, token.changed_at) == ("ok", "environment TOKEN", None)
    assert (password.location, password.changed_at) == (
        f"{dotenv} PASSWORD",
        dotenv.stat().st_mtime,
    )
    assert (spare.state, spare.fingerprint) == ("unset", None)
    assert spare.location.count(", ") == 3


def test_a_source_is_asked_only_for_what_no_other_has() -> None:
    """A developer with a ``.env`` does not need a Vault."""
    store = Store(password=OLD)
    SecretLoader(App, sources=[Environment({"TOKEN": OLD}), store])
    assert store.asked == [["password", "spare"]]
    store.error = SourceError("is away")
    everything = {"TOKEN": OLD, "PASSWORD": OLD, "SPARE": OLD}
    SecretLoader(App, sources=[Environment(everything), store])


class Broken(Store):
    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceValue | RejectedValue]:
        """Fail with the exception of a library."""
        raise LookupError(OLD)


def test_a_source_that_fails_is_a_line_and_the_others_are_asked() -> None:
    """The line has the message of a `SourceError`, and otherwise only the name of the exception."""
    away = Store()
    away.error = SourceError("403: the token may not read app")
    with pytest.raises(SecretsError) as told:
        SecretLoader(App, sources=[away, Broken(), Environment({"TOKEN": OLD})])
    assert told.value.problems == (
        "store: 403: the token may not read app",
        "store: failed with LookupError",
    )
    assert [status.state for status in told.value.report] == ["ok", "missing", "unset"]
    assert told.value.__context__ is None


@pytest.mark.parametrize(
    "said",
    [None, [], {"token": OLD}, {"token": SourceValue(None, "x")}, {"token": SourceValue(7, "x")}],  # type: ignore[arg-type]  # what is tested
    ids=["nothing", "list", "text", "no-value", "number"],
)
def test_a_source_that_gives_something_else_is_a_line(said: Any) -> None:
    """The line names the source, which is the user's own."""

    class Strange(SecretSource):
        name = "strange"

        def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceValue | RejectedValue]:
            """Return an invalid result."""
            return said  # type: ignore[no-any-return]  # what is tested

    with pytest.raises(SecretsError) as told:
        SecretLoader(App, sources=[Strange(), Environment({"PASSWORD": OLD})])
    first, *rest = told.value.problems
    assert first.startswith(("strange: must return a SourceValue", "strange: failed with"))
    assert rest == []
    assert OLD not in str(told.value)


def test_names_are_compared_only_where_a_resemblance_is_told() -> None:
    """Otherwise a rotation with thousands of variables would be slow."""

    class Compared(Environment):
        asked: list[list[str]] = []  # noqa: RUF012  # for this test

        def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
            """Record the fields."""
            self.asked.append([field.name for field in fields])
            return super().similar_names(fields)

    environ = {"TOKEN": OLD, "PASSWORD": OLD}
    SecretLoader(App, sources=[Compared(environ)])
    assert Compared.asked == [["spare"]]
    with pytest.raises(SecretsError) as told:
        SecretLoader(App, sources=[Compared({"TOKEN": OLD, "TOKEN2": OLD, "PASWORD": OLD})])
    assert Compared.asked[1:] == [["password", "spare"]]
    assert told.value.problems == (
        "password: is missing (tried environment PASSWORD; did you mean environment PASWORD?)",
    )


def test_what_can_not_be_masked_is_noted() -> None:
    """For example, a short value that ``allow_weak`` accepts."""

    class Weak(SecretModel):
        pin: Secret[str] = secret_field(min_length=4)

    loader = SecretLoader(Weak, sources=[Environment({"PIN": "7391"})])
    (pin,) = loader.report
    assert pin.note == "can't be masked: it is shorter than 8 bytes"
    assert loader.registry.variants == ()


def test_a_password_that_can_not_be_masked_by_itself_is_noted() -> None:
    """The URL itself can be masked."""

    class Database(SecretModel):
        url: Secret[str]

    def note(url: str) -> str | None:
        (entry,) = SecretLoader(Database, sources=[Environment({"URL": url})]).report
        return entry.note

    weak = "its password can't be masked on its own: it is shorter than 8 bytes"
    assert note("postgres://shop:k7Rv2@db.internal/shop") == weak
    assert note(f"postgres://shop:{OLD}@db.internal/shop") is None
    assert note("postgres://shop@db.internal/shop") is None


@pytest.mark.parametrize(
    "example",
    [
        f"TOKEN={OLD}",
        f"TOKEN={OLD}\n= what is this\n",
        f"\xff\nTOKEN={OLD}".encode("latin-1"),
        f"TOKEN='{OLD} '",
    ],
    ids=["good", "syntax", "encoding", "blank-at-its-end"],
)
def test_an_example_that_is_no_perfect_file_counts(tmp_path: Path, example: str | bytes) -> None:
    """Its valid lines count, and the malformed ones are skipped without an error."""
    path = write(tmp_path / ".env.example", example, 0o644)
    environ = {"TOKEN": OLD + " " * ("'" in str(example)), "PASSWORD": NEW}
    with pytest.raises(SecretsError, match="token: is the value from the example file"):
        SecretLoader(App, sources=[Environment(environ)], example_file=path)


def test_an_example_that_can_not_be_read_keeps_nothing_from_being_taken(tmp_path: Path) -> None:
    """A directory or a failing disk does not cause an error."""
    environ = {"TOKEN": OLD, "PASSWORD": NEW}
    loader = SecretLoader(App, sources=[Environment(environ)], example_file=tmp_path)
    assert loader.current.token.reveal() == OLD


def test_a_name_that_is_meant_so_is_no_typo() -> None:
    """It is listed in ``ignore_names``, or continues the name of a secret."""

    class Prefixed(SecretModel, prefix="APP_"):
        database_url: Secret[str]

    environ = {"APP_DATABASE_URL": OLD, "APP_DATABASE_URI": NEW, "APP_DATABASE_URL_RO": NEW}
    with pytest.raises(SecretsError) as told:
        SecretLoader(Prefixed, sources=[Environment(environ)])
    assert told.value.problems == (
        "environment APP_DATABASE_URI: is not a secret of the app: did you mean APP_DATABASE_URL?",
    )
    SecretLoader(Prefixed, sources=[Environment(environ)], ignore_names=["APP_DATABASE_URI"])


# -- fingerprints ---------------------------------------------------------------------------------


def test_a_fingerprint_tells_versions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one process, or between processes with the same key."""
    environ = {"TOKEN": OLD, "PASSWORD": NEW}
    key = "a-key-that-all-workers-have"

    def prints(**options: Any) -> tuple[str | None, str | None, str | None]:
        loader = SecretLoader(App, sources=[Environment(environ)], **options)
        return tuple(map(loader.fingerprint, ("token", "password", "spare")))  # type: ignore[return-value]  # three

    assert prints() != prints()
    assert prints(fingerprint_key=key) == prints(fingerprint_key=key.encode())
    token, password, spare = prints(fingerprint_key=key)
    assert token != password
    assert spare is None
    monkeypatch.setenv("MANTLET_FINGERPRINT_KEY", key)
    assert prints() == (token, password, spare)
    with pytest.raises(KeyError):
        SecretLoader(App, sources=[Environment(environ)]).fingerprint("other")


# -- rotation -------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mount(tmp_path, "1", token=OLD, password=OLD)
    return tmp_path


def test_a_change_is_seen_at_the_next_poll_and_not_before(folder: Path, clock: Clock) -> None:
    """All secrets change at once, and the listeners are called."""
    told: list[tuple[frozenset[str], str]] = []
    loader: SecretLoader[App] = SecretLoader(
        App,
        sources=[SecretFiles(folder)],
        poll_interval=10,
        clock=clock,
        on_change=[
            lambda names: told.append((names, loader.current.token.reveal())),
            lambda names: told.append((names, "second")),
        ],
    )
    before = loader.current
    mount(folder, "2", token=NEW, password=OLD)
    clock.now = 9.9
    assert loader.current is before
    clock.now = 10
    assert loader.current.token.reveal() == NEW
    assert before.token.reveal() == OLD
    assert told == [(frozenset({"token"}), NEW), (frozenset({"token"}), "second")]


def test_nothing_changes_where_nothing_did(folder: Path, clock: Clock) -> None:
    """Rewriting a file with the same content is not a change."""
    loader = SecretLoader(App, sources=[SecretFiles(folder)], poll_interval=0, clock=clock)
    before, variants = loader.current, loader.registry.variants
    mount(folder, "2", token=OLD, password=OLD)
    assert loader.current is before
    assert loader.registry.variants is variants


def test_a_failed_reload_keeps_the_last_good_state_and_says_so(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The next valid state replaces it."""
    loader = SecretLoader(App, sources=[SecretFiles(folder)], poll_interval=0, clock=clock)
    before = loader.current
    mount(folder, "2", token="changeme", password=NEW)
    assert loader.current is before
    assert "SecretLoader keeps the last valid secrets: App: 1 problem" in caplog.text
    assert "token: is a placeholder" in caplog.text
    assert NEW not in caplog.text
    with pytest.raises(SecretsError, match="token: is a placeholder"):
        loader.reload()
    mount(folder, "3", token=NEW, password=NEW)
    assert loader.current.token.reveal() == NEW


def test_a_directory_that_vanishes_keeps_the_last_good_state(folder: Path, clock: Clock) -> None:
    """The secrets change once it is back."""
    loader = SecretLoader(App, sources=[SecretFiles(folder)], poll_interval=0, clock=clock)
    before = loader.current
    folder.rename(folder.with_name("away"))
    assert loader.current is before
    folder.with_name("away").rename(folder)
    mount(folder, "2", token=NEW, password=OLD)
    assert loader.current.token.reveal() == NEW


def test_reload_says_what_changed(folder: Path, clock: Clock) -> None:
    """It does not wait for the next poll."""
    loader = SecretLoader(App, sources=[SecretFiles(folder)], poll_interval=1000, clock=clock)
    assert loader.reload() == frozenset()
    mount(folder, "2", token=NEW, password=NEW, spare=NEW)
    assert loader.reload() == {"token", "password", "spare"}
    mount(folder, "3", token=NEW, password=NEW)
    assert loader.reload() == {"spare"}
    assert loader.current.spare is None


def test_a_listener_that_fails_is_logged_masked_and_keeps_nothing_from_changing(
    folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The message of the exception may contain the new password."""
    loader: SecretLoader[App]

    def fail(_names: frozenset[str]) -> None:
        raise RuntimeError(loader.current.token.reveal())

    loader = SecretLoader(
        App, sources=[SecretFiles(folder)], poll_interval=0, clock=clock, on_change=fail
    )
    mount(folder, "2", token=NEW, password=OLD)
    assert loader.current.token.reveal() == NEW
    assert "on_change failed with RuntimeError" in caplog.text
    assert "RuntimeError: ***" in caplog.text
    assert NEW not in caplog.text


def test_old_values_are_kept_in_for_the_overlap(folder: Path, clock: Clock) -> None:
    """Responses made with them may still be on their way."""
    loader = SecretLoader(
        App, sources=[SecretFiles(folder)], poll_interval=0, overlap=60, clock=clock
    )
    mount(folder, "2", token=NEW, password=NEW)
    assert loader.current.token.reveal() == NEW
    assert OLD in loader.registry
    clock.now = 60
    loader.registry.expire()
    assert OLD not in loader.registry
    assert NEW in loader.registry


def test_a_remote_source_is_asked_again_after_its_lifetime(clock: Clock) -> None:
    """A change of a local source does not cause it."""
    store = Store(password=OLD)
    environ = {"TOKEN": OLD}
    loader = SecretLoader(App, sources=[Environment(environ), store], poll_interval=1, clock=clock)
    store.values["password"] = NEW
    environ["TOKEN"] = NEW
    clock.now = 99
    assert loader.current.token.reveal() == NEW
    assert loader.current.password.reveal() == OLD
    assert len(store.asked) == 1
    clock.now = 125  # a quarter more, where no answer was given that it could be asked behind
    assert loader.current.password.reveal() == NEW
    assert len(store.asked) == 2


def test_a_remote_source_that_is_away_keeps_the_last_good_state(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read again after a delay; meanwhile, local changes apply."""
    store = Store(password=OLD)
    environ = {"TOKEN": OLD}
    loader = SecretLoader(App, sources=[Environment(environ), store], poll_interval=1, clock=clock)
    store.error = SourceError("is away")
    clock.now = 125
    assert loader.current.password.reveal() == OLD
    assert "store: is away" in caplog.text
    environ["TOKEN"] = NEW
    clock.now = 127
    assert loader.current.token.reveal() == NEW
    assert len(store.asked) == 2
    store.error = None
    store.values["password"] = NEW
    clock.now = 143  # nobody who reads waits for it where it can be asked behind an answer, at 140
    assert loader.current.password.reveal() == OLD
    clock.now = 144
    assert loader.current.password.reveal() == NEW
    assert len(store.asked) == 3


def test_a_source_whose_state_can_not_be_told_is_read(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Any exception of the source is logged, and reading a secret does not raise it."""

    class Failing(Environment):
        fails = False

        def change_token(self, fields: Sequence[SecretField]) -> Hashable:
            """Fail as if too many files were open."""
            if self.fails:
                raise OSError(OLD)
            return super().change_token(fields)

    source = Failing({"TOKEN": OLD, "PASSWORD": OLD})
    loader = SecretLoader(App, sources=[source], poll_interval=0, clock=clock)
    before = loader.current
    source.fails = True
    assert loader.current is before
    assert "environment: failed with OSError" in caplog.text
    assert OLD not in caplog.text


def test_another_writing_of_a_value_is_searched_for_too() -> None:
    """The parsed secret is equal, so the listeners are not called."""

    class Key(SecretModel):
        key: Secret[bytes] = secret_field(encoding="base64")

    raw = bytes(range(100, 131))
    environ = {"KEY": b64encode(raw).decode()}
    told: list[frozenset[str]] = []
    loader = SecretLoader(Key, sources=[Environment(environ)], on_change=told.append)
    before = loader.current
    other = environ["KEY"] = f"{environ['KEY'][:20]} {environ['KEY'][20:]}"
    assert loader.reload() == frozenset()
    assert loader.current is before
    assert other in loader.registry
    assert told == []


def test_a_worker_that_is_forked_during_a_reading_has_its_own(clock: Clock) -> None:
    """The child has neither the reading thread nor its result."""
    reading, go_on = Event(), Event()

    class Slow(Environment):
        def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceValue | RejectedValue]:
            """Block once, after reading the values."""
            found = super().read(fields)
            if clock.now == 1:
                reading.set()
                go_on.wait()
            return found

    environ = {"TOKEN": OLD, "PASSWORD": OLD}
    loader = SecretLoader(App, sources=[Slow(environ)], poll_interval=1, clock=clock)
    clock.now = 1
    environ["TOKEN"] = NEW
    reader = Thread(target=lambda: loader.current)
    reader.start()
    reading.wait()

    def work() -> bool:
        clock.now = 1.5  # sooner than the next poll
        return loader.current.token.reveal() == NEW and NEW in loader.registry

    try:
        assert in_child(work)
    finally:
        go_on.set()
        reader.join()


def test_a_hang_up_reads_everything_anew(clock: Clock) -> None:
    """Only with ``reload_on_sighup``, and an earlier signal handler is still called."""
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _frame: heard.append(number))
    try:
        store = Store(password=OLD, token=OLD)
        loader = SecretLoader(
            App, sources=[store], reload_on_sighup=True, poll_interval=1000, clock=clock
        )
        store.values["token"] = NEW
        assert loader.current.token.reveal() == OLD
        os.kill(os.getpid(), signal.SIGHUP)
        assert loader.current.token.reveal() == NEW
        assert heard == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_hang_up_is_over_with_one_reading(folder: Path, clock: Clock) -> None:
    """Even without a remote source to read after a response."""
    readings: list[Sequence[SecretField]] = []

    class Counted(SecretFiles):
        def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceValue | RejectedValue]:
            """Count the calls."""
            readings.append(fields)
            return super().read(fields)

    before = signal.getsignal(signal.SIGHUP)
    try:
        loader = SecretLoader(
            App, sources=[Counted(folder)], reload_on_sighup=True, poll_interval=1, clock=clock
        )
        app = mantlet.wrap(ADAPTERS[0].app(hello), loader, baseline=False)
        os.kill(os.getpid(), signal.SIGHUP)
        for now in range(5):
            clock.now = now
            ADAPTERS[0].drive(app)
        assert len(readings) == 2
    finally:
        signal.signal(signal.SIGHUP, before)


# -- as a policy ----------------------------------------------------------------------------------


@both_adapters
def test_an_exchange_has_the_secrets_of_its_beginning(
    adapter: Adapter, folder: Path, clock: Clock
) -> None:
    """A change meanwhile applies to the next request."""
    seen: list[str] = []
    loader = SecretLoader(App, sources=[SecretFiles(folder)], poll_interval=0, clock=clock)

    def handler(carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        kept = mantlet.state(carrier).secrets
        seen.append(kept.token.reveal())
        if len(seen) == 1:
            mount(folder, "2", token=NEW, password=NEW)
            loader.reload()
        seen.append(kept.password.reveal())
        return 200, [("content-type", "text/plain")], b"ok"

    app = adapter.wrap(handler, loader)
    assert adapter.drive(app).status == 200
    assert adapter.drive(app).status == 200
    assert seen == [OLD, OLD, NEW, NEW]


@both_adapters
def test_a_remote_source_is_asked_behind_an_answer(adapter: Adapter, clock: Clock) -> None:
    """The first request that ends after its lifetime does it."""
    store = Store(password=OLD, token=OLD)
    loader = SecretLoader(App, sources=[store], clock=clock)
    seen: list[str] = []

    def handler(carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        seen.append(mantlet.state(carrier).secrets.token.reveal())
        return 200, [("content-type", "text/plain")], b"ok"

    app = adapter.wrap(handler, loader)
    store.values["token"] = NEW
    for now in (50, 100, 101, 102):
        clock.now = now
        assert adapter.drive(app).body == b"ok"
    assert seen == [OLD, OLD, NEW, NEW]
    assert len(store.asked) == 2


def test_without_remote_sources_the_end_of_an_exchange_costs_nothing() -> None:
    """The hook is disabled."""
    environ = {"TOKEN": OLD, "PASSWORD": NEW}
    assert "on_finish" in SecretLoader(App, sources=[Environment(environ)]).disabled_hooks
    assert (
        "on_finish"
        not in SecretLoader(App, sources=[Store(token=OLD, password=OLD)]).disabled_hooks
    )


@pytest.fixture
def known() -> SecretLoader[App]:
    return SecretLoader(App, sources=[Environment({"TOKEN": OLD, "PASSWORD": NEW})])


@both_adapters
def test_problems_hold_no_secret(adapter: Adapter, known: SecretLoader[App]) -> None:
    """Neither in the texts, nor in the headers, nor in the extension members."""

    def handler(_carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        raise mantlet.Problem(
            409,
            detail=f"Could not log in with {OLD}.",
            headers={"X-Tried": NEW},
            extensions={"tried": [OLD]},
        )

    answer = adapter.drive(adapter.wrap(handler, mantlet.ErrorEnvelope(), known))
    assert answer.status == 409
    assert OLD not in answer.text()
    assert NEW not in answer.text()
    assert answer.json()["detail"] == f"Could not log in with {'*' * len(OLD)}."
    assert answer.get("x-tried") == "***"


@both_adapters
def test_the_log_of_the_envelope_holds_no_secret(
    adapter: Adapter, known: SecretLoader[App], caplog: pytest.LogCaptureFixture
) -> None:
    """The traceback is masked; one without a secret is unchanged."""

    def handler(carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        raise RuntimeError(f"no login with {OLD}" if "x" in str(carrier) else "")

    app = adapter.wrap(handler, mantlet.ErrorEnvelope(), known)
    assert adapter.drive(app).status == 500
    (record,) = caplog.records
    assert record.exc_info is None
    assert "RuntimeError: no login with ***" in (record.exc_text or "")
    assert OLD not in caplog.text


class Careless(mantlet.Policy):
    """A policy whose errors contain a secret, such as the URL of a store."""

    def on_request(self, request: mantlet.Request) -> None:
        """Fail in the request hook."""
        if request.path == "/in":
            raise RuntimeError(OLD)

    def on_response(self, request: mantlet.Request, response: mantlet.Response) -> None:
        """Fail in the response hook."""
        raise RuntimeError(OLD)


class Refusing(mantlet.Policy):
    """A policy that rejects every request."""

    def on_request(self, request: mantlet.Request) -> mantlet.Reply:
        """Reject the request."""
        return mantlet.Reply(200)


@both_adapters
@pytest.mark.parametrize("path", ["/in", "/out"])
def test_errors_of_policies_further_out_hold_no_secret(
    adapter: Adapter, known: SecretLoader[App], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Even though the loader, as the innermost policy, has not seen the request."""
    app = adapter.wrap(hello, mantlet.ErrorEnvelope(), Careless(), Refusing(), known)
    assert adapter.drive(app, path=path).status == 500
    (record,) = caplog.records
    assert "RuntimeError: ***" in (record.exc_text or "")
    assert OLD not in caplog.text


@both_adapters
def test_an_exception_without_a_secret_stays_an_exception(
    adapter: Adapter, known: SecretLoader[App], caplog: pytest.LogCaptureFixture
) -> None:
    """Error trackers get it unchanged."""

    def handler(_carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        raise RuntimeError("other words")

    adapter.drive(adapter.wrap(handler, mantlet.ErrorEnvelope(), known))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is RuntimeError
    assert record.levelno == logging.ERROR
    assert Path(record.pathname).name == "reporting.py"


@both_adapters
def test_the_debug_page_holds_no_secret(adapter: Adapter, known: SecretLoader[App]) -> None:
    """It shows the traceback, masked."""

    def handler(_carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        raise RuntimeError(f"no login with <{OLD}>")

    with pytest.warns(UserWarning, match="shows tracebacks"):
        envelope = mantlet.ErrorEnvelope(debug=True)
    answer = adapter.drive(
        adapter.wrap(handler, envelope, known),
        headers=[("accept", "text/html"), ("host", "localhost")],
        client="127.0.0.1",
    )
    assert "RuntimeError" in answer.text()
    assert "no login with &lt;" in answer.text()
    assert OLD not in answer.text()


@both_adapters
def test_the_sanitizer_searches_for_the_loaders_values(
    adapter: Adapter, folder: Path, clock: Clock
) -> None:
    """The current values, and the replaced ones."""
    loader = SecretLoader(App, sources=[SecretFiles(folder)], poll_interval=0, clock=clock)

    def handler(carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        found = mantlet.state(carrier).secrets.token.reveal()
        return 200, [("content-type", "text/plain")], f"{OLD} {found}".encode()

    app = adapter.wrap(handler, mantlet.OutputSanitizer(secrets=loader), loader)
    assert adapter.drive(app).body == b"*" * len(OLD) + b" " + b"*" * len(OLD)
    mount(folder, "2", token=NEW, password=NEW)
    assert adapter.drive(app).body == b"*" * len(OLD) + b" " + b"*" * len(NEW)


@both_adapters
def test_two_loaders_stand_side_by_side(adapter: Adapter, known: SecretLoader[App]) -> None:
    """The state has the secrets of the inner one, and both are masked."""

    class Other(SecretModel):
        key: Secret[str]

    other = SecretLoader(Other, sources=[Environment({"KEY": "other-kR7-vT2_qX9"})])

    def handler(carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        key = mantlet.state(carrier).secrets.key.reveal()
        raise mantlet.Problem(400, detail=f"{OLD} {key}")

    answer = adapter.drive(adapter.wrap(handler, mantlet.ErrorEnvelope(), known, other))
    assert answer.json()["detail"] == f"{'*' * len(OLD)} {'*' * 17}"


@both_adapters
def test_a_remote_source_that_is_away_is_asked_behind_answers_alone(
    adapter: Adapter, clock: Clock
) -> None:
    """No request waits for it, even long after the failure."""
    store = Store(password=OLD, token=OLD)
    loader = SecretLoader(App, sources=[store], poll_interval=0, clock=clock)
    store.error = SourceError("is away")
    during: list[int] = []

    def handler(_carrier: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        during.append(len(store.asked))
        return 200, [("content-type", "text/plain")], b"ok"

    app = adapter.wrap(handler, loader)
    for now in (100, 110, 120):
        clock.now = now
        assert adapter.drive(app).status == 200
    assert during == [1, 2, 2]
    assert len(store.asked) == 3


def test_an_exchange_does_not_wait_for_who_asks_already(clock: Clock) -> None:
    """No thread is started to wait."""
    request: Any = SimpleNamespace(is_async=True)
    during: list[object] = []

    class Watched(Store):
        def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceValue | RejectedValue]:
            """End another request meanwhile."""
            if clock.now:
                during.append(loader.on_finish(request))
            return super().read(fields)

    loader = SecretLoader(
        App, sources=[Watched(password=OLD, token=OLD)], poll_interval=0, clock=clock
    )
    clock.now = 100
    asyncio.run(_awaited(loader.on_finish(request)))
    assert during == [None]


async def _awaited(waiting: Awaitable[None] | None) -> None:
    assert waiting is not None
    await waiting
