"""The adapters of the ports: a database, and the web."""
