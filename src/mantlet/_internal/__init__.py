"""Plumbing that no policy author needs."""
