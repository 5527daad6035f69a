"""Snapshots of data: the only place that knows DVC."""
