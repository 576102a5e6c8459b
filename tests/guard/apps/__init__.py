"""Guards of apps, made of what their frameworks declare."""
