"""Stores for the state of rate limits: memory, LMDB, and Redis or Valkey."""
