"""`Jwt`: the gate, the keys, the claims and the cache."""
