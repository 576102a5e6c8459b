"""The use cases of the back end, and the ports that they need."""
