"""`Jwt`: access tokens that are signed (RFC 7519, RFC 9068), verified without their issuer."""
