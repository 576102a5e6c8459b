"""Proof that a client has a key: DPoP (RFC 9449), and certificates (RFC 8705)."""
