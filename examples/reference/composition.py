"""Connect all parts, once, when the process starts."""

from typing import Final

from examples.reference.adapters.database import SqlCharges, SqlOrders, connect, metadata, outbox
from examples.reference.adapters.web.controllers import Controllers
from examples.reference.adapters.web.policies import make_policies
from examples.reference.application.shop import Shop
from examples.reference.config import Settings
from sqlalchemy.orm import sessionmaker

from mantlet import Events, UnitOfWork, below


class Backend:
    """The parts of a process."""

    def __init__(self, settings: Settings) -> None:
        self.engine: Final = connect(settings.secrets.current.database_url.reveal())
        self.sessions: Final = sessionmaker(self.engine)
        self.uow: Final = UnitOfWork(
            self.sessions,
            commit=below(400),
            repositories={"orders": SqlOrders, "charges": SqlCharges},
            outbox=outbox,
        )
        events = Events()
        self.controllers: Final = Controllers(Shop(push=events.publish), events)
        records = self.uow.records(metadata=metadata)
        self.policies: Final = make_policies(settings, self.uow, records)

    def create_tables(self) -> None:
        """Create missing tables. In production, use migrations."""
        metadata.create_all(self.engine)
