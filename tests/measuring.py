"""Measure coverage only while tests run the package: in fixtures and in the tests themselves.

Under measurement, all Python code takes two to four times as long, that of pytest too. Tests with
the mark `unmeasured` aren't measured.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any

import pytest
from coverage import Coverage

import mantlet

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    """Measure the import of each module, and then nothing until a fixture or a test runs."""
    coverage = _coverage(session.config)
    if coverage is not None:
        for module in walk_packages(mantlet.__path__, "mantlet."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
        coverage.stop()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """Measure fixtures."""
    with _measured(request.node):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Measure tests."""
    with _measured(pyfuncitem):
        return (yield)


@contextmanager
def _measured(node: pytest.Item | pytest.Collector) -> Iterator[None]:
    coverage = _coverage(node.config)
    is_unmeasured = node.get_closest_marker("unmeasured") is not None
    if coverage is None or is_unmeasured or Coverage.current() is coverage:
        yield
        return
    coverage.start()
    try:
        yield
    finally:
        coverage.stop()


def _coverage(config: pytest.Config) -> Coverage | None:
    """Return what measures coverage, if it is measured."""
    plugin = config.pluginmanager.getplugin("_cov")
    return None if plugin is None else plugin.cov_controller.cov
