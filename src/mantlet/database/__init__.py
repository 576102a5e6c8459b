"""`UnitOfWork` and `Repository`: one transaction for each request, and no SQL in its view."""

from mantlet.database.policy import UnexpectedRollback, UnitOfWork, uow
from mantlet.database.work import Work

__all__ = ["UnexpectedRollback", "UnitOfWork", "Work", "uow"]
