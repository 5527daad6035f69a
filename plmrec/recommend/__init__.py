"""Answers: from a loaded release and a history to lists of items with reasons."""
