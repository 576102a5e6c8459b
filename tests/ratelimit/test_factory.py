"""Errors in a limiter's options and in the URIs of stores."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Concurrency, Quota, RateLimiter, Rule, StoreError
from mantlet import stores as shared
from mantlet.ratelimit import stores
from tests.ids import shown

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = ("memory://", "lmdb:///var/lib/app/limits", "redis://localhost:6379")
SECRET = "seeded-secret"
#: Malformed URIs with passwords elsewhere than before the host.
SHOWN = (f"redi://h?password={SECRET}", f"redis:/user:{SECRET}@h", f"user:{SECRET}@h:6379")


def refused(error: type[Exception], quota: Any = "9/hour", **options: Any) -> str:
    """Return the message of the error that these options raise."""
    with pytest.raises(error) as raised:
        RateLimiter(quota, **options)
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return str(raised.value)


# -- URIs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "memory",
        "memory:",
        ":memory:",
        "memory:///x",
        "memory://?max_keys=5",
        "Memory://",
        " memory://",
        "memory://\n",
        "async+memory://",
        "file:///var/lib/app/limits",
        "localhost:6379",
        "//localhost",
        "memcached://localhost:11211",
        "mongodb://localhost",
        "async+redis://localhost",
    ],
)
def test_a_uri_of_no_store_is_an_error_that_shows_it_and_right_ones(uri: str) -> None:
    """No other store is used instead."""
    said = refused(ValueError, store=uri)
    assert repr(uri) in said
    assert all(right in said for right in RIGHT)


@pytest.mark.parametrize(
    ("uri", "right"),
    [
        ("lmdb://", "lmdb:///var/lib/app/limits"),
        ("lmdb://relative/path", "lmdb:///var/lib/app/limits"),
        ("lmdb:///tmp/x?max_keys=5", "lmdb:///var/lib/app/limits"),
        ("redis://", "redis://:password@localhost:6379/0"),
        ("redis://h:99999", "redis://:password@localhost:6379/0"),
        ("valkey://h/x", "redis://:password@localhost:6379/0"),
        ("redis+cluster://h/1", "redis+cluster://10.0.0.1:6379,10.0.0.2:6379"),
        ("redis+sentinel://h", "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/service"),
    ],
)
def test_a_malformed_uri_of_a_store_is_an_error_that_shows_it_and_a_right_one(
    uri: str, right: str
) -> None:
    """At construction: no server is called, and no directory created."""
    said = refused(ValueError, store=uri)
    assert uri in said
    assert right in said


@pytest.mark.parametrize(
    "uri",
    [
        f"redis://:{SECRET}@h/x",
        f"redis://user:{SECRET}@h:port",
        f"rediss://h?password={SECRET}&db=x",
        f"valkey+cluster://user:{SECRET}@a,,b",
        f"redis+sentinel://user:{SECRET}@a",
        f"redis+sentinel://a?sentinel_password={SECRET}",
        f"redis+nothing://:{SECRET}@h",
        f"redis://:{SECRET}/with@h",
        f"lmdb://user:{SECRET}@/var/lib/app/limits",
        f"redi://user:{SECRET}@h",
        f"mongodb://user:{SECRET}@h",
        f"redis://:{SECRET}\u2100@h/x",
        f"redis://user:{SECRET}@[::1",
        *SHOWN,
    ],
)
def test_no_error_shows_a_password(uri: str) -> None:
    """It would end up in the log of a failing deployment."""
    assert SECRET not in refused(ValueError, store=uri)


@pytest.mark.parametrize("uri", ["redis://[::1", "redis://::1]", "redis://[h]"])
def test_a_uri_that_cannot_be_split_is_an_error_that_shows_a_right_one(uri: str) -> None:
    """Not only "Invalid IPv6 URL"."""
    assert "redis://:password@localhost:6379/0" in refused(ValueError, store=uri)


def test_no_error_shows_a_password_in_bytes() -> None:
    """It may be read from the environment like that."""
    assert SECRET not in refused(TypeError, store=f"redis://:{SECRET}@h".encode())


@pytest.mark.parametrize("store", [5, None, b"memory://", ["memory://"], object], ids=repr)
def test_what_is_no_store_is_a_type_error_that_shows_a_right_one(store: Any) -> None:
    """Neither text nor a `Store`."""
    said = refused(TypeError, store=store)
    assert repr(store) in said
    assert all(right in said for right in RIGHT)


@pytest.mark.parametrize(
    "uri", ["lmdb:///tmp/limits", f"foo://user:{SECRET}@h", "", "async+memory://"]
)
def test_windows_need_a_storage_of_limits(uri: str) -> None:
    """Other stores are rejected, and the message names the storages."""
    said = refused(ValueError, Quota("9/hour", window="fixed"), store=uri)
    assert SECRET not in said
    assert "memcached://localhost:11211" in said


def test_a_directory_that_cannot_be_made_is_an_error_of_the_store(tmp_path: Path) -> None:
    """Its parent is missing, so the path is probably misspelt."""
    said = refused(StoreError, store=f"lmdb://{tmp_path}/missing/limits")
    assert str(tmp_path) in said


# -- extras ---------------------------------------------------------------------------------------


def without(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    """Make libraries, and the modules that import them, unavailable."""
    packages = [(package, name) for package in (stores, shared) for name in ("lmdb", "redis")]
    for package, name in packages:
        monkeypatch.delattr(package, name, raising=False)
    for name in list(sys.modules):
        if name.startswith(tuple(f"{package.__name__}.{part}" for package, part in packages)):
            monkeypatch.delitem(sys.modules, name)
    for library in libraries:
        for name in list(sys.modules):
            if name.startswith(f"{library}."):
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, library, None)


@pytest.mark.parametrize(
    ("library", "uri", "extra"),
    [
        ("lmdb", "lmdb:///tmp/limits", 'pip install "mantlet[lmdb]"'),
        ("hiredis", "redis://localhost", 'pip install "mantlet[redis]"'),
        ("hiredis", "valkey+cluster://localhost", 'pip install "mantlet[redis]"'),
    ],
)
def test_a_missing_library_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, library: str, uri: str, extra: str
) -> None:
    """At construction, not when the first client arrives."""
    without(monkeypatch, library)
    with pytest.raises(ImportError) as raised:
        RateLimiter("9/hour", store=uri)
    assert extra in str(raised.value)


def test_memory_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory store works without any extra."""
    without(monkeypatch, "lmdb", "hiredis", "redis")
    assert RateLimiter("9/hour").check("x").allowed


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"on_outage": "block"}, ValueError, '"local", "allow" or "refuse", not \'block\''),
        ({"on_outage": None}, ValueError, "not None"),
        ({"mode": "shadow"}, ValueError, '"enforce", "report" or "off", not \'shadow\''),
        ({"mode": True}, TypeError, "True"),
        ({"timeout": 0}, ValueError, "from 0.001 to 60 seconds, not 0"),
        ({"timeout": 61}, ValueError, "not 61"),
        ({"timeout": float("nan")}, ValueError, "not nan"),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds, not '1'"),
        ({"timeout": True}, TypeError, "not True"),
        ({"timeout": None}, TypeError, "not None"),
        ({"workers": 0}, ValueError, "workers must be at least 1, not 0"),
        ({"workers": 2.0}, TypeError, "workers must be a whole number of processes, not 2.0"),
        ({"workers": True}, TypeError, "not True"),
        ({"prefetch": 0, "store": "redis://h"}, ValueError, "prefetch must be at least 1, not 0"),
        (
            {"prefetch": 1.5, "store": "redis://h"},
            TypeError,
            "prefetch must be a whole number of tokens",
        ),
        ({"prefetch": 5}, TypeError, "prefetch applies to stores on the network"),
        (
            {"prefetch": 5, "store": "lmdb:///tmp/x"},
            TypeError,
            "prefetch applies to stores on the network",
        ),
        ({"clock": lambda: 0, "store": "redis://h"}, TypeError, "a server has its own"),
        ({"clock": 5}, TypeError, "clock must be a function that returns nanoseconds, not 5"),
        ({"key": "address"}, TypeError, "a key must be a function of the request, not 'address'"),
        ({"rules": ["POST /login"]}, TypeError, "not 'POST /login'"),
        ({"count_if": 401}, TypeError, "count_if must be a plain function of the response"),
        ({"concurrency": 5}, TypeError, "concurrency must be a Concurrency, not 5"),
    ],
    ids=lambda value: shown(value) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_an_error_that_says_what_is_wrong(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The message names the option, its value, and a valid one."""
    assert said in refused(error, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0.001},
        {"timeout": 60},
        {"workers": 1},
        {"workers": 10_000},
        {"max_keys": 1},
        {"store": "redis://:password@localhost:6379/0", "prefetch": 1},
        {"store": "valkey+sentinel://a,b/service", "prefetch": 50, "max_keys": 5},
    ],
    ids=shown,
)
def test_what_is_right_at_the_edge_is_taken(options: dict[str, Any]) -> None:
    """No server is called before the first request."""
    RateLimiter("9/hour", **options)


def test_a_limiter_of_nothing_is_a_type_error_that_says_what_it_needs() -> None:
    """It would look like a protection without being one."""
    assert "needs a quota" in refused(TypeError, None)
    assert "needs a quota" in refused(TypeError, None, rules=[])


@pytest.mark.parametrize(
    "options", [{"burst": 5}, {"cost": 2}, {"count_if": lambda _response: True}], ids=shown
)
def test_options_of_a_quota_need_one(options: dict[str, Any]) -> None:
    """They are not silently ignored."""
    for limited in ({"rules": [Rule("* /", "9/hour")]}, {"concurrency": Concurrency(1)}):
        assert "the limiter has none" in refused(TypeError, None, **options, **limited)


@pytest.mark.parametrize("quota", ["9/hour; 5/minute", "9/hour burst 5"])
def test_a_burst_is_of_a_single_rate(quota: str) -> None:
    """It would be ambiguous otherwise."""
    refused(ValueError, quota, burst=5)
