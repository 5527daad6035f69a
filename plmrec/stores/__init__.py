"""Workspace tables, PostgreSQL and vectors: the only place with SQL."""
