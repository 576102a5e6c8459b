"""A back end for orders, under FastAPI and under Flask from one core.

``docs/reference-back-end.md`` walks through it; ``make reference`` starts it.
"""
