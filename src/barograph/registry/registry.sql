-- What is read from MLflow's SQLite store, by name; `registry.py` reads this file once.
--
-- Only reading: everything is written through MLflow's client. `tests/test_registry.py` holds these
-- statements against that client, so that a schema of another MLflow shows up there.

-- name: alias
SELECT version FROM registered_model_aliases
WHERE workspace = 'default' AND name = :case AND alias = :alias;

-- name: registered
SELECT 1 FROM registered_models WHERE workspace = 'default' AND name = :case;

-- name: versions
SELECT version, run_id FROM model_versions
WHERE workspace = 'default' AND name = :case AND current_stage <> 'Deleted_Internal'
ORDER BY version;

-- name: aliases
SELECT version, alias FROM registered_model_aliases
WHERE workspace = 'default' AND name = :case
ORDER BY alias;

-- name: tags
SELECT version, key, value FROM model_version_tags
WHERE workspace = 'default' AND name = :case;

-- name: audit
SELECT value FROM registered_model_tags
WHERE workspace = 'default' AND name = :case AND key GLOB 'audit.*'
ORDER BY key;

-- name: unfinished
SELECT runs.run_uuid,
    EXISTS (SELECT 1 FROM model_versions WHERE model_versions.run_id = runs.run_uuid)
FROM runs
JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = 'kind'
WHERE tags.value IN ('version', 'trial') AND runs.status = 'RUNNING';
