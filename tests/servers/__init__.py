"""Apps under their real servers, hit over real sockets."""
