-- The taxonomy of a release: which version of the interest tags its items had, and what was in it.

ALTER TABLE release ADD COLUMN taxonomy_version integer;  -- null: its items had no tags
ALTER TABLE release ADD COLUMN taxonomy_digest text;
