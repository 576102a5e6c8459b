"""Tests of the cloud providers' stores."""
