"""Expectations on data: the only place that knows Great Expectations."""
