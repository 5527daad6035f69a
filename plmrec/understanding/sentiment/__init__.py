"""Judges of sentiment, one a file."""
