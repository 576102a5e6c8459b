"""Who asks, whether they may, and from which site: Mantlet's policies beside the peers.

``python -m benchmarks --identity`` measures this part alone, and writes it into the last results.
"""
