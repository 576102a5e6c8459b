"""`UnitOfWork` and `Repository`: one transaction for each request, and no SQL in its view."""
