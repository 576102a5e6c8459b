"""The examples under their real servers, hit over real sockets."""
