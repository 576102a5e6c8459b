"""The clocks of a host, which move only when a test sets them."""

from __future__ import annotations

from mantlet.stores.lmdb.records import HostTime

__all__ = ["HostClock"]

_SECOND = 1_000_000_000


class HostClock:
    """A host: it has been up for a while, its system time may be set, and it may be rebooted."""

    def __init__(self) -> None:
        self._boots = 1
        self._since_boot = 1000 * _SECOND
        self._system = 1_800_000_000 * _SECOND
        self.has_boots = True

    def __call__(self) -> HostTime:
        if not self.has_boots:
            return HostTime(b"", 0, self._system)
        return HostTime(self._boots.to_bytes(16), self._since_boot, self._system)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._since_boot += int(seconds * _SECOND)
        self._system += int(seconds * _SECOND)

    def set_back(self, seconds: float) -> None:
        """Set the system time; forward if the number is negative."""
        self._system -= int(seconds * _SECOND)

    def reboot(self, seconds: float, up: float = 10) -> None:
        """Be down for a while, and then up for a while."""
        self._boots += 1
        self._since_boot = int(up * _SECOND)
        self._system += int((seconds + up) * _SECOND)
