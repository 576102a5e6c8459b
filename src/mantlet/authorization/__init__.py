"""`Authorizer`: who may do what, by rules on routes."""
