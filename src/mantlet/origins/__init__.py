"""`Cors`, `CrossOrigin` and `Hosts`: which sites may send requests, and by which names."""
