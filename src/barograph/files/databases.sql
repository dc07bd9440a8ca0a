-- What copies a SQLite database while others write it.

-- name: pin
SELECT count(*) FROM sqlite_schema

-- name: hurry
PRAGMA synchronous = OFF

-- name: damage
PRAGMA quick_check(1)
