"""Composition root: reads params and settings, builds backends, calls one stage, returns dicts."""
