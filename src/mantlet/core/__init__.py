"""What every policy is made of, the same under both protocols: no I/O, no framework, no server."""
