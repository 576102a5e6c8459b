"""`Authenticator`: who is asking, by tokens, API keys, sessions, passwords or certificates."""
