"""The tests of the reference back end."""
