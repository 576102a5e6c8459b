"""Health checks: `Health`."""

from mantlet.health.policy import Health

__all__ = ["Health"]
