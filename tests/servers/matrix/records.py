"""Log records as lines of JSON: an app's process writes them, a test reads them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, fields

LOGGER = "mantlet.errors"


@dataclass(frozen=True)
class Record:
    """A record of the logger; what it lacks is None."""

    name: str
    level: str
    message: str
    request_id: str | None = None
    method: str | None = None
    route: str | None = None
    status: int | None = None
    fingerprint: str | None = None
    repeats: int | None = None
    exc_text: str | None = None


_EXTRAS = {"request_id", "method", "route", "status", "fingerprint", "repeats"}


class JsonFormatter(logging.Formatter):
    """Write a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = {name: value for name, value in vars(record).items() if name in _EXTRAS}
        said |= {"name": record.name, "level": record.levelname, "message": record.getMessage()}
        if record.exc_info:
            said["exc_text"] = self.formatException(record.exc_info)
        return json.dumps(said)


def log_to_stderr() -> None:
    """Write what is logged in this process to standard error, in place of what is set up there."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def read_records(log: str) -> list[Record]:
    """Return the records of `LOGGER` that are in what a server has written."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"')]
    names = {field.name for field in fields(Record)}
    assert all(line.keys() <= names for line in lines)
    return [Record(**line) for line in lines if line["name"] == LOGGER]
