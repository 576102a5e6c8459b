"""Where the keys of an issuer come from: discovery, a URL, or a file."""
