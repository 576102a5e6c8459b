"""Requests that schemathesis generates, good ones and bad ones, sent to real servers."""
