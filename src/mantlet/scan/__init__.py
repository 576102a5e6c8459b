"""Search for many byte strings at once."""
