"""What Mantlet costs a request: in process, beside its peers, and over HTTP.

``python -m benchmarks`` from the repository's root measures all of it and writes
``docs/benchmarks/``; ``--quick`` takes a rough look and writes under ``.bench/`` instead.

No check passes or fails by a time: each target is printed beside the measured value.
"""
