"""Publish events to other systems. Run it as ``python -m examples.reference.relay``."""

import logging
import time

from examples.reference.adapters.database import outbox
from examples.reference.composition import Backend
from examples.reference.config import Settings

from mantlet.database import relay_outbox
from mantlet.events import Event


def publish(event: Event) -> None:
    """Log an event, in place of a broker. Duplicates are possible; they have the same id."""
    logging.getLogger("reference.relay").info("%s %s (%s)", event.type, event.data, event.id)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sessions = Backend(Settings()).sessions
    while True:
        if not relay_outbox(sessions, publish, outbox=outbox):
            time.sleep(0.5)
