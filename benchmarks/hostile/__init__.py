"""Inputs that could cost much for their size, and what they cost: ``python -m benchmarks.hostile``.

Each is a unit that a parser could stumble over, repeated, in each place where a policy reads it. A
new finding becomes a unit of its place, or an input of its own with the policies that read it.
"""

from benchmarks.hostile import bodies, headers, responses, schemas, targets, tokens
from benchmarks.hostile.kinds import MB, Hostile, Inputs

__all__ = ["MB", "Hostile", "inputs"]


def inputs() -> Inputs:
    """Iterate over all hostile inputs."""
    yield from headers.inputs()
    yield from tokens.inputs()
    yield from targets.inputs()
    yield from bodies.inputs()
    yield from bodies.messages()
    yield from schemas.inputs()
    yield from responses.inputs()
