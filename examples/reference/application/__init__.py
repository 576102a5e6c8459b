"""What the back end does: its use cases, and the ports that they need."""
