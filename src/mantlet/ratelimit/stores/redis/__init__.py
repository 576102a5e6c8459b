"""A store on Redis or Valkey servers."""
