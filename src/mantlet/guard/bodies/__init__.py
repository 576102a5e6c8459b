"""Request bodies: decoded, parsed, bounded and validated."""
