"""Summarisers, one a file."""
