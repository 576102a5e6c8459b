"""What an order is. Plain classes: nothing but the standard library is imported."""
