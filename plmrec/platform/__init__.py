"""Starts, watches and stops the embedded services."""
