-- What the chain writes: releases, generations of the vector index, and the pointer to the live one.

CREATE TABLE release (
    version            integer PRIMARY KEY,           -- version of the registered model plmrec
    state              text NOT NULL DEFAULT 'candidate'
                       CHECK (state IN ('candidate', 'challenger', 'champion', 'retired')),
    dataset_digest     text NOT NULL,                 -- DVC digest of the accepted dataset
    encoder_fingerprint text NOT NULL,
    recommender_digest text NOT NULL,                 -- of the fitted state
    input_digest       text NOT NULL,                 -- of everything training read
    mlflow_run_id      text NOT NULL,
    git_commit         text NOT NULL DEFAULT '',
    airflow_run        text NOT NULL DEFAULT '',
    metrics            jsonb NOT NULL DEFAULT '{}',
    decision           jsonb NOT NULL DEFAULT '{}',   -- verdict of the promotion policy, rule by rule
    created_at         timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX release_one_champion ON release (state) WHERE state = 'champion';

CREATE TABLE generation (
    generation_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release_version    integer NOT NULL REFERENCES release (version),
    encoder_fingerprint text NOT NULL,
    encoder_name       text NOT NULL DEFAULT '',
    dim                integer NOT NULL,
    dataset_digest     text NOT NULL DEFAULT '',      -- of the dataset its rows came from
    digest             text NOT NULL,                 -- of the rows, the encoder and index_params
    index_params       jsonb NOT NULL DEFAULT '{}',   -- m, ef_construction, ef_search
    n_items            integer NOT NULL DEFAULT 0,
    n_passages         integer NOT NULL DEFAULT 0,
    recall_at_10       double precision,              -- against exact search, on a sample
    status             text NOT NULL DEFAULT 'building'
                       CHECK (status IN ('building', 'ready', 'refused', 'dropped')),
    created_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE live (
    one                boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation_id      integer NOT NULL REFERENCES generation (generation_id),
    previous_id        integer REFERENCES generation (generation_id),
    switched_at        timestamptz NOT NULL DEFAULT now()
);
