"""The domain: orders as plain classes, which import only the standard library."""
