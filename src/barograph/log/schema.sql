-- Every statement of the embedded log, by name; `database.py` reads this file once.
--
-- A record's row id is its slot: partition id in the upper 23 bits, offset in the lower 40. So the
-- table itself is the index: a partition is one run of neighbouring pages in offset order, and an
-- append costs one b-tree insert and no second index.

-- name: settings
PRAGMA synchronous = NORMAL;
PRAGMA fullfsync = ON;
PRAGMA cache_size = -8192;
PRAGMA wal_autocheckpoint = 4096;
PRAGMA journal_size_limit = 67108864;

-- name: create_schema
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS topic (
  name            TEXT PRIMARY KEY,
  partitions      INTEGER NOT NULL,
  retention_s     INTEGER,
  retention_bytes INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partition (
  id     INTEGER PRIMARY KEY,
  topic  TEXT NOT NULL,
  number INTEGER NOT NULL,
  oldest INTEGER NOT NULL DEFAULT 0,
  next   INTEGER NOT NULL DEFAULT 0,
  bytes  INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, number)
);
CREATE TABLE IF NOT EXISTS record (
  slot             INTEGER PRIMARY KEY,
  key              TEXT NOT NULL,
  value            BLOB NOT NULL,
  headers          TEXT,              -- JSON object; NULL for none
  appended_time_ns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS member (
  id         TEXT PRIMARY KEY,        -- also the name of its presence file
  group_name TEXT NOT NULL,
  topics     TEXT NOT NULL,           -- JSON list, sorted
  joined     INTEGER NOT NULL         -- rank in the group
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claim (
  group_name TEXT NOT NULL,
  partition  INTEGER NOT NULL,
  owner      TEXT,                    -- a member's id; NULL when free
  epoch      INTEGER NOT NULL,        -- grows with every change of owner
  position   INTEGER,                 -- next offset to read; NULL before the first commit
  PRIMARY KEY (group_name, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (
  group_name TEXT NOT NULL,
  partition  INTEGER NOT NULL,
  name       TEXT NOT NULL,
  value      BLOB NOT NULL,
  PRIMARY KEY (group_name, partition, name)
);
CREATE TABLE IF NOT EXISTS producer_checkpoint (
  producer TEXT NOT NULL,
  name     TEXT NOT NULL,
  value    BLOB NOT NULL,
  PRIMARY KEY (producer, name)
);
CREATE TABLE IF NOT EXISTS producer (
  name  TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL              -- grows with every handle that takes the name
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS compacted_topic (name TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA application_id = 1113682543;
PRAGMA user_version = 2;
COMMIT;

-- name: journal_mode
PRAGMA journal_mode = WAL;

-- name: application_id
PRAGMA application_id;

-- name: user_version
PRAGMA user_version;

-- name: data_version
PRAGMA data_version;

-- name: count_tables
SELECT count(*) FROM sqlite_schema;

-- name: topics
SELECT name, partitions, retention_s, retention_bytes,
  name IN (SELECT name FROM compacted_topic) FROM topic ORDER BY name;

-- name: put_topic
INSERT INTO topic (name, partitions, retention_s, retention_bytes) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
  retention_s = excluded.retention_s, retention_bytes = excluded.retention_bytes;

-- name: compact_topic
INSERT INTO compacted_topic (name) VALUES (?);

-- name: compacted_partitions
SELECT partition.id
FROM partition JOIN compacted_topic ON compacted_topic.name = partition.topic ORDER BY partition.id;

-- name: compact
DELETE FROM record WHERE slot IN (
  SELECT slot FROM (
    SELECT slot, lead(slot) OVER (PARTITION BY key ORDER BY slot) AS later
    FROM record WHERE slot >= ? AND slot < ?)
  WHERE later IS NOT NULL);

-- name: add_partition
INSERT INTO partition (topic, number) VALUES (?, ?);

-- name: partition_ids
SELECT id FROM partition WHERE topic = ? ORDER BY number;

-- name: extents
SELECT number, oldest, next FROM partition WHERE topic = ? ORDER BY number;

-- name: ends
SELECT id, next FROM partition;

-- name: bounds
SELECT oldest, next FROM partition WHERE id = ?;

-- name: add_record
INSERT INTO record (slot, key, value, headers, appended_time_ns) VALUES (?, ?, ?, ?, ?);

-- name: add_records
-- (first slot, all keys and values one behind the other, layout, headers, time). The layout has for
-- each record, in one number, where its key begins (from bit 25 on), the bytes of the key (8 bits)
-- and of the value behind it (17 bits).
INSERT INTO record (slot, key, value, headers, appended_time_ns)
SELECT ?1 + place.key,
  CAST(substr(?2, (place.value >> 25) + 1, place.value >> 17 & 255) AS TEXT),
  substr(?2, (place.value >> 25) + 1 + (place.value >> 17 & 255), place.value & 131071), ?4, ?5
FROM json_each(?3) AS place;

-- name: grow
UPDATE partition SET next = ?, bytes = bytes + ? WHERE id = ?;

-- name: read
SELECT slot, key, value, headers, appended_time_ns
FROM record WHERE slot >= ? AND slot < ? ORDER BY slot LIMIT ?;

-- name: limited_partitions
SELECT partition.id, topic.retention_s, topic.retention_bytes
FROM partition JOIN topic ON topic.name = partition.topic
WHERE topic.retention_s IS NOT NULL OR topic.retention_bytes IS NOT NULL
ORDER BY partition.id;

-- name: kept
SELECT oldest, next, bytes FROM partition WHERE id = ?;

-- name: oldest_records
SELECT length(value), appended_time_ns
FROM record WHERE slot >= ? AND slot < ? ORDER BY slot LIMIT ?;

-- name: remove
DELETE FROM record WHERE slot >= ? AND slot < ?;

-- name: shrink
UPDATE partition SET oldest = ?, bytes = bytes - ? WHERE id = ?;

-- name: members
SELECT id, topics FROM member WHERE group_name = ? ORDER BY joined;

-- name: add_member
INSERT INTO member (id, group_name, topics, joined)
VALUES (?, ?, ?, (SELECT coalesce(max(joined), 0) + 1 FROM member));

-- name: all_members
SELECT id FROM member;

-- name: remove_member
DELETE FROM member WHERE id = ?;

-- name: claims
SELECT partition, owner, epoch FROM claim WHERE group_name = ?;

-- name: take
INSERT INTO claim (group_name, partition, owner, epoch) VALUES (?, ?, ?, 1)
ON CONFLICT (group_name, partition) DO UPDATE SET owner = excluded.owner, epoch = epoch + 1
RETURNING epoch, position;

-- name: give
UPDATE claim SET owner = NULL WHERE group_name = ? AND partition = ? AND owner = ?;

-- name: give_all
UPDATE claim SET owner = NULL WHERE owner = ?;

-- name: advance
UPDATE claim SET position = ?
WHERE group_name = ? AND partition = ? AND owner = ? AND epoch = ?;

-- name: positions
SELECT partition.number, claim.position
FROM claim JOIN partition ON partition.id = claim.partition
WHERE claim.group_name = ? AND partition.topic = ? AND claim.position IS NOT NULL;

-- name: checkpoints
SELECT name, value FROM checkpoint WHERE group_name = ? AND partition = ?;

-- name: put_checkpoint
INSERT INTO checkpoint (group_name, partition, name, value) VALUES (?, ?, ?, ?)
ON CONFLICT (group_name, partition, name) DO UPDATE SET value = excluded.value;

-- name: remove_checkpoint
DELETE FROM checkpoint WHERE group_name = ? AND partition = ? AND name = ?;

-- name: take_producer
INSERT INTO producer (name, epoch) VALUES (?, 1)
ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1 RETURNING epoch;

-- name: producer_epoch
SELECT epoch FROM producer WHERE name = ?;

-- name: producer_checkpoints
SELECT name, value FROM producer_checkpoint WHERE producer = ?;

-- name: put_producer_checkpoint
INSERT INTO producer_checkpoint (producer, name, value) VALUES (?, ?, ?)
ON CONFLICT (producer, name) DO UPDATE SET value = excluded.value;

-- name: remove_producer_checkpoint
DELETE FROM producer_checkpoint WHERE producer = ? AND name = ?;
