"""Versions, repeated requests and units of work.

``python -m benchmarks --patterns`` measures this part alone, and writes it into the last results.
"""
