"""Finders of keywords, one a file."""
