"""Places that all workers share, and the connections to them."""
