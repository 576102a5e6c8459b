"""Stores that all workers share, and connections to them."""
