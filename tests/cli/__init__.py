"""Tests of the secret loader."""
