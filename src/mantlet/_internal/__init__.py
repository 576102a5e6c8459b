"""Internal helpers that policy authors do not need."""
