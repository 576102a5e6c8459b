"""The proof matrix of `ErrorEnvelope`: every fault, in every framework, under real servers."""
