-- What is asked of a log's file that nobody may change.

-- name: application_id
PRAGMA application_id

-- name: damage
PRAGMA quick_check(1)
