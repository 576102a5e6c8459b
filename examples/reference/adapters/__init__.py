"""What the ports are plugged into: a database, and the web."""
