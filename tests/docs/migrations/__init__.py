"""The pages on moving from other packages: both apps of each, asked the same."""
