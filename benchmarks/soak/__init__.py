"""Servers under a mixture of requests while things fail: ``python -m benchmarks.soak``.

Each server runs an app in all five policies, whose limits are in a Valkey behind a proxy. Clients
send honest, wrong and hostile requests all the time, some of which they break off; meanwhile the
Valkey is slow, frozen, cut off and flushed, and a worker is killed. It is judged by counts alone:
answers that nobody should get, secrets that got out, tokens given twice, and what memory, file
descriptors, temporary files and log records came to.
"""
