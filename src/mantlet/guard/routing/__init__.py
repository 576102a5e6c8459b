"""From a request's path and method to the operation that it is for."""
