"""A sample of the tests runs, or with ``--all`` every one of them."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.sampling import fewer_examples, sample

from mantlet.core import context

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ("tests.measuring",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--all``."""
    parser.addoption(
        "--all",
        action="store_true",
        help="run all tests, with all their cases and examples, instead of a sample",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis take its time, and outside of ``--all`` the same examples in each run."""
    # Shared machines make the time of an example meaningless.
    settings.register_profile("mantlet", deadline=None, derandomize=not _runs_all(config))
    settings.load_profile("mantlet")


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None]:
    """Make only the cases of the sample, unless all tests or these by name are asked for."""
    yield
    if not _runs_all(metafunc.config):
        sample(metafunc)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is left to ``--all``."""
    if _runs_all(config):
        return
    left_out = {item for item in items if item.get_closest_marker("exhaustive") is not None}
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    fewer_examples(items)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from visiting all modules and tests whenever it runs."""
    _freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """And, after the tests of a file, from visiting what pytest keeps of them."""
    yield
    if nextitem is not None and nextitem.path != item.path:
        _freeze()


@pytest.fixture(autouse=True)
def _no_current_request() -> Generator[None]:
    """Forget the request of a test client whose response a test has left open."""
    yield
    context.current.set(None)


def _freeze() -> None:
    gc.collect()
    gc.freeze()


def _runs_all(config: pytest.Config) -> bool:
    return config.getoption("--all") or any("::" in argument for argument in config.args)
