"""Secrets read, loaded and exchanged: ``python -m benchmarks.loading``.

pydantic-settings is beside it: it reads the same files, and checks and masks nothing of them.
"""

import json
import logging
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

from pydantic import SecretStr, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from benchmarks import names
from mantlet import OutputSanitizer, Secret, SecretLoader, SecretModel
from mantlet.secrets import SecretFiles

COUNT = 50
READS = 20_000
NAMES = [f"secret_{index}" for index in range(COUNT)]

App: Any = type("App", (SecretModel,), {"__annotations__": dict.fromkeys(NAMES, Secret[str])})


class _FromFiles(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore")


Settings: Any = create_model(
    "Settings", __base__=_FromFiles, **dict.fromkeys(NAMES, (SecretStr, ...))
)


def write(directory: Path) -> None:
    """Write a new value of each secret, as a password generator makes one."""
    for name in NAMES:
        path = directory / name
        path.touch(0o600)
        path.write_text(token_urlsafe(24))


def took(call: Callable[[], object]) -> float:
    """Return how long a call takes, in nanoseconds."""
    began = perf_counter_ns()
    call()
    return perf_counter_ns() - began


def _reading(loader: Any, settings: Any) -> dict[str, Callable[[], object]]:
    """Return loops that read a secret repeatedly, and an empty one."""
    state = loader.current
    times = [None] * READS

    def nothing() -> None:
        for _ in times:
            pass

    def snapshot() -> None:
        for _ in times:
            state.secret_7.reveal()

    def current() -> None:
        for _ in times:
            loader.current.secret_7.reveal()

    def get_secret_value() -> None:
        for _ in times:
            settings.secret_7.get_secret_value()

    return {
        names.BARE: nothing,
        names.SNAPSHOT: snapshot,
        names.CURRENT: current,
        names.PYDANTIC_SETTINGS: get_secret_value,
    }


def measure(rounds: int, directory: Path) -> dict[str, Any]:
    """Return every round: reads in nanoseconds, starts and rotations in milliseconds."""
    write(directory)

    def load() -> Any:
        return SecretLoader(App, sources=[SecretFiles(directory)], overlap=0)

    def load_settings() -> Any:
        return Settings(_secrets_dir=directory)

    loader = load()
    sanitizer = OutputSanitizer(secrets=loader)
    reads = _reading(loader, load_settings())
    read: dict[str, list[float]] = {name: [] for name in reads}
    start: dict[str, list[float]] = {names.LOADER: [], names.PYDANTIC_SETTINGS: []}
    rotation: list[float] = []
    for _ in range(rounds):
        for name, loop in reads.items():
            read[name].append(took(loop) / READS)
        start[names.LOADER].append(took(load) / 1e6)
        start[names.PYDANTIC_SETTINGS].append(took(load_settings) / 1e6)
        write(directory)
        rotation.append(took(loader.reload) / 1e6)
    variants = len(loader.registry.variants)
    del sanitizer  # it was there to be made ready with each rotation
    return {"read": read, "start": start, "rotation": rotation, "variants": variants}


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with TemporaryDirectory() as directory:
        print(json.dumps(measure(options.rounds, Path(directory))))


if __name__ == "__main__":
    main()
