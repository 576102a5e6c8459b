"""Read from sources, and assert that errors and logs show neither secrets nor credentials."""

import traceback
from collections.abc import Sequence

import pytest

from mantlet.secrets import SecretField, SecretSource, SourceError, SourceValue

__all__ = ["FIELD", "assert_unlogged", "read_error", "value"]

FIELD = SecretField("password", "APP_PASSWORD", "password", "APP_")


def value(source: SecretSource, field: SecretField = FIELD) -> SourceValue:
    """Return the value that a source has."""
    found = source.read([field])[field.name]
    assert isinstance(found, SourceValue)
    return found


def read_error(source: SecretSource, hidden: Sequence[str]) -> SourceError:
    """Return the error of a source that can't be read, and assert that it shows nothing hidden.

    Args:
        source: the source.
        hidden: the texts that must not be shown.
    """
    with pytest.raises(SourceError) as caught:
        source.read([FIELD])
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert not [one for one in hidden if one in shown]
    assert "\n" not in str(error)
    return error


def assert_unlogged(caplog: pytest.LogCaptureFixture, hidden: Sequence[str]) -> None:
    """Assert that nothing hidden was logged during a test."""
    records = caplog.get_records("call")
    text = "".join(f"{one.getMessage()}{one.args}{one.exc_info}" for one in records)
    assert not [one for one in hidden if one in text]
