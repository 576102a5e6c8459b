"""Compile the forms of a document."""
