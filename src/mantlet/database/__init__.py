"""`UnitOfWork` and `Repository`: one transaction for each request, and views without SQL."""

from mantlet.database.django_orm import AtomicRequests, django
from mantlet.database.memory import AsyncInMemoryRepository, InMemoryRepository
from mantlet.database.memory_work import AsyncInMemoryWork, InMemoryWork
from mantlet.database.outbox import Outbox
from mantlet.database.policy import UnexpectedRollback, UnitOfWork, uow
from mantlet.database.relay import relay_outbox
from mantlet.database.repository import AsyncRepository, Repository
from mantlet.database.sql_repository import AsyncSqlRepository, SqlRepository
from mantlet.database.work import Work

__all__ = [
    "AsyncInMemoryRepository",
    "AsyncInMemoryWork",
    "AsyncRepository",
    "AsyncSqlRepository",
    "AtomicRequests",
    "InMemoryRepository",
    "InMemoryWork",
    "Outbox",
    "Repository",
    "SqlRepository",
    "UnexpectedRollback",
    "UnitOfWork",
    "Work",
    "django",
    "relay_outbox",
    "uow",
]
