"""The stores of the clouds."""
