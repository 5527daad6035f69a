"""Finders of a text's language, one a file."""
