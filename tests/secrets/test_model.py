"""Models declare secrets, and invalid declarations raise clear errors."""

from collections.abc import Callable
from math import nan
from typing import Any, Optional

import pytest

from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel, secret_field
from mantlet.secrets.model import specs

VALUE = "kR7-vT2_qX9.mB4w"


class App(SecretModel, prefix="APP_"):
    database_url: Secret[str]
    api_key: Secret[str] = secret_field(env="PROVIDER_KEY", key="provider-key")
    smtp_password: Secret[str] | None = None
    old_style: Optional[Secret[str]] = None  # noqa: UP045  # what is tested
    plain: Secret  # type: ignore[type-arg]  # what is tested
    _internal: int = 3


def test_names_come_from_the_attribute_and_the_prefix() -> None:
    """Unless ``secret_field()`` sets them."""
    fields = {spec.field.name: spec.field for spec in specs(App)}
    assert list(fields) == ["database_url", "api_key", "smtp_password", "old_style", "plain"]
    assert fields["database_url"].env == "APP_DATABASE_URL"
    assert fields["database_url"].key == "database_url"
    assert (fields["api_key"].env, fields["api_key"].key) == ("PROVIDER_KEY", "provider-key")
    assert [s.field.name for s in specs(App) if not s.required] == ["smtp_password", "old_style"]


class Child(App):
    token: Secret[bytes] = secret_field(encoding="hex")


def test_a_class_has_the_secrets_and_the_prefix_of_its_parent() -> None:
    """Services can share a base class."""
    assert {spec.field.env for spec in specs(Child)} > {"APP_TOKEN", "APP_DATABASE_URL"}


def test_a_snapshot_can_be_made_for_a_test() -> None:
    """From plain values, without a source."""
    made = App(database_url=VALUE, api_key=VALUE, plain=Secret(VALUE))
    assert made.database_url.reveal() == VALUE
    assert made.smtp_password is None
    assert repr(made) == (
        "App(database_url=Secret('***'), api_key=Secret('***'), smtp_password=None, "
        "old_style=None, plain=Secret('***'))"
    )
    with pytest.raises(TypeError, match="requires the secret 'api_key'"):
        App(database_url=VALUE, plain=VALUE)
    with pytest.raises(TypeError, match="has no secret 'other'"):
        App(database_url=VALUE, api_key=VALUE, plain=VALUE, other=VALUE)


def _model(annotation: object, default: object = ...) -> type[SecretModel]:
    given = {} if default is ... else {"x": default}
    return type("Wrong", (SecretModel,), {"__annotations__": {"x": annotation}, **given})


class Waiting:
    """A coroutine listener."""

    async def __call__(self, names: frozenset[str]) -> None:
        """Do nothing."""


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "plain-type": (
        lambda: specs(_model(str)),
        TypeError,
        r"Wrong\.x must be annotated as Secret\[\.\.\.\]",
    ),
    "union": (
        lambda: specs(_model(Secret[str] | Secret[int])),
        TypeError,
        r"Wrong\.x must be annotated as Secret\[\.\.\.\] or",
    ),
    "value-in-code": (
        lambda: specs(_model(Secret[str], VALUE)),
        TypeError,
        r"Wrong\.x must have no default, or None",
    ),
    "default-of-required": (
        lambda: specs(_model(Secret[str], None)),
        TypeError,
        "must have no default, or None",
    ),
    "encoded-text": (
        lambda: specs(_model(Secret[str], secret_field(encoding="hex"))),
        TypeError,
        r"must be Secret\[bytes\]",
    ),
    "no-secrets": (lambda: specs(type("Empty", (SecretModel,), {})), TypeError, "has no secrets"),
    "the-base": (
        lambda: specs(SecretModel),
        TypeError,
        "model must be a subclass of SecretModel",
    ),
    "no-class": (
        lambda: SecretLoader(App(database_url=VALUE, api_key=VALUE, plain=VALUE)),  # type: ignore[arg-type]  # what is tested
        TypeError,
        "model must be a subclass of SecretModel",
    ),
    "one-variable-twice": (
        lambda: specs(
            type(
                "Twice",
                (SecretModel,),
                {
                    "__annotations__": {"x": Secret[str], "y": Secret[str]},
                    "y": secret_field(env="X"),
                },
            )
        ),
        ValueError,
        "several secrets with the env 'X'",
    ),
    "prefix": (
        lambda: type("P", (SecretModel,), {}, prefix="A-"),
        ValueError,
        "prefix must be a valid start of a variable name",
    ),
    "default": (lambda: secret_field(VALUE), ValueError, "a value in the code is not secret"),
    "env": (
        lambda: secret_field(env="A=B"),
        ValueError,
        "env must be the name of an environment variable",
    ),
    "key": (lambda: secret_field(key=""), ValueError, "key must not be empty"),
    "min-length": (lambda: secret_field(min_length=0), ValueError, "min_length must be at least 1"),
    "pattern": (
        lambda: secret_field(pattern="("),
        ValueError,
        "pattern must be a regular expression",
    ),
    "encoding": (lambda: secret_field(encoding="rot13"), ValueError, "encoding must be one of"),  # type: ignore[arg-type]  # what is tested
    "poll_interval": (
        lambda: SecretLoader(App, poll_interval=-1),
        ValueError,
        "poll_interval must be 0 seconds or more",
    ),
    "overlap": (
        lambda: SecretLoader(App, overlap=-1),
        ValueError,
        "overlap must be at least 0 seconds",
    ),
    "no-sources": (lambda: SecretLoader(App, sources=[]), ValueError, "one or more"),
    "source": (
        lambda: SecretLoader(App, sources=["env"]),  # type: ignore[list-item]  # what is tested
        TypeError,
        "sources must be SecretSource objects, not str",
    ),
    "listener": (
        lambda: SecretLoader(App, on_change=3),  # type: ignore[arg-type]  # what is tested
        ValueError,
        "on_change must be",
    ),
    "waiting-listener": (
        lambda: SecretLoader(App, on_change=Waiting()),
        ValueError,
        "on_change must be one or several functions",
    ),
    "overlap-no-number": (
        lambda: SecretLoader(App, sources=[Environment({})], overlap=nan),
        ValueError,
        "overlap must be at least 0 seconds",
    ),
    "ignored-name": (
        lambda: SecretLoader(App, ignore_names="A_NAME"),
        TypeError,
        "ignore_names must be a collection of names",
    ),
    "short-key-no-text": (
        lambda: SecretLoader(App, sources=[Environment({})], fingerprint_key="\udcff"),
        ValueError,
        "fingerprint_key must have 16 bytes",
    ),
    "short-key": (
        lambda: SecretLoader(App, sources=[Environment({})], fingerprint_key="short"),
        ValueError,
        "fingerprint_key must have 16 bytes",
    ),
}


@pytest.mark.parametrize(("make", "kind", "words"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_is_told_at_once(
    make: Callable[[], object], kind: type[Exception], words: str
) -> None:
    """When it is declared, and without showing a value."""
    with pytest.raises(kind, match=words) as told:
        make()
    assert VALUE not in str(told.value)
