"""The building blocks of policies, the same under both protocols: no I/O and no framework."""
