"""`Versions`: several versions of an API, each until its sunset."""
