"""Where a framework needs something of its own: one thin module each, and no framework imported."""
