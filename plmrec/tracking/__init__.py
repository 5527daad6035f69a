"""Runs, registered models and aliases: the only place that knows MLflow."""
