"""What apps read of a request that the guard has let through, beside what the guard has read."""
