"""Mantlet and its peers, asked the same: the facts of docs/comparison.md."""
