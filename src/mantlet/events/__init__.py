"""`Events`: what has happened, for other services and for clients that are connected."""
