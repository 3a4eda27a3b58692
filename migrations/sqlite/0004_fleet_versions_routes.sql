-- What many processes need: a feed of changes, the executors that are there, nonces of signed requests; how a
-- handler came to serve its version; recorded invocations; hosts and routes. The same tables, columns and names
-- as in the PostgreSQL migration of this number. Programs of the migration before go on working with it.

-- The oldest migration that a program has to know to work with this schema: one that knows less is refused, one
-- that knows it goes on while others are newer already.
CREATE TABLE schema_floor (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    migration  INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
INSERT INTO schema_floor (id, migration) VALUES (1, 3);

-- What executors have to ask for anew, in the order of the commits. All but the newest are swept.
CREATE TABLE changes (
    position   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL CHECK (kind IN ('handler', 'host')),
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;

CREATE TABLE executors (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- As JSON: what it said of itself when it was last heard of.
    report     TEXT    NOT NULL,
    seen_at    INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;

-- Signed requests between the planes that were taken already, until their time is over.
CREATE TABLE nonces (
    nonce      BLOB    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX nonces_by_age ON nonces (expires_at);

-- What one process does that others must not do at the same time, until it ends or its time is over: uploads hold
-- their module together, whoever deletes modules holds each alone.
CREATE TABLE claims (
    subject    TEXT    NOT NULL,
    holder     BLOB    NOT NULL,
    alone      INTEGER NOT NULL CHECK (alone IN (0, 1)),
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (subject, holder)
) STRICT;
CREATE INDEX claims_by_holder ON claims (holder);
CREATE INDEX claims_by_age ON claims (expires_at);

-- When the live version became live, and which one was before: what a rollback goes back to.
ALTER TABLE handlers ADD COLUMN promoted_at INTEGER;
ALTER TABLE handlers ADD COLUMN previous_version INTEGER;
-- A version that answers a part of the clients, since when, and how large the part is.
ALTER TABLE handlers ADD COLUMN split_version INTEGER;
ALTER TABLE handlers ADD COLUMN split_at INTEGER;
ALTER TABLE handlers ADD COLUMN split_percent INTEGER
    CHECK (split_percent BETWEEN 1 AND 99 AND (split_version IS NULL) = (split_percent IS NULL));
-- Whether a new version that fails more than its predecessor is rolled back, and the last time that it was, as JSON.
ALTER TABLE handlers ADD COLUMN auto_rollback INTEGER NOT NULL DEFAULT 1 CHECK (auto_rollback IN (0, 1));
ALTER TABLE handlers ADD COLUMN rolled_back TEXT;
-- What is recorded, as JSON; nothing if absent.
ALTER TABLE handlers ADD COLUMN recording TEXT;
CREATE INDEX handlers_watched ON handlers (promoted_at) WHERE auto_rollback AND deleted_at IS NULL;
CREATE INDEX handlers_split ON handlers (split_at) WHERE auto_rollback AND deleted_at IS NULL AND split_at IS NOT NULL;

-- Of which version a receipt is, and whether the program failed: 0, 1, or nothing where that is not counted.
ALTER TABLE invocations ADD COLUMN version INTEGER;
ALTER TABLE invocations ADD COLUMN failed INTEGER;
CREATE INDEX invocations_by_version ON invocations (handler_id, version, started_at, failed)
    WHERE failed IS NOT NULL;

CREATE TABLE recordings (
    position      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    invocation_id BLOB    NOT NULL UNIQUE CHECK (length(invocation_id) = 16),
    handler_id    BLOB    NOT NULL,
    method        TEXT    NOT NULL,
    started_at    INTEGER NOT NULL,
    recording     TEXT    NOT NULL,
    created_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX recordings_by_position ON recordings (handler_id, position);
CREATE INDEX recordings_by_time ON recordings (started_at);

-- Who wants to route a host, and whether it is proven or granted that they may: at most one.
CREATE TABLE hosts (
    name       TEXT    NOT NULL,
    owner_id   BLOB    NOT NULL REFERENCES users (id),
    -- What the DNS record has to say.
    challenge  TEXT    NOT NULL,
    proven_at  INTEGER,
    granted_by BLOB    REFERENCES users (id),
    -- When DNS was last asked again about a proof, and what was wrong then.
    checked_at INTEGER,
    problem    TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (name, owner_id)
) STRICT;
CREATE UNIQUE INDEX hosts_proven ON hosts (name) WHERE proven_at IS NOT NULL;

-- What whoever has a host makes of it: of several who want it, only the routes of the one who has proven it are
-- served, and nobody keeps a path from anybody else.
CREATE TABLE routes (
    host         TEXT    NOT NULL,
    path         TEXT    NOT NULL CHECK (path LIKE '/%'),
    owner_id     BLOB    NOT NULL,
    handler_id   BLOB    NOT NULL REFERENCES handlers (id),
    strip_prefix INTEGER NOT NULL CHECK (strip_prefix IN (0, 1)),
    created_at   INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at   INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (host, owner_id, path),
    FOREIGN KEY (host, owner_id) REFERENCES hosts (name, owner_id)
) STRICT;
CREATE INDEX routes_by_handler ON routes (handler_id);

CREATE TRIGGER handlers_told_insert AFTER INSERT ON handlers BEGIN
    INSERT INTO changes (kind, name) VALUES ('handler', NEW.name);
END;
CREATE TRIGGER handlers_told_update AFTER UPDATE OF live_version, split_version, split_percent, policy,
    forward_authorization, recording, deleted_at ON handlers BEGIN
    INSERT INTO changes (kind, name) VALUES ('handler', NEW.name);
END;
CREATE TRIGGER handler_settings_told_insert AFTER INSERT ON handler_settings BEGIN
    INSERT INTO changes (kind, name) SELECT 'handler', name FROM handlers WHERE id = NEW.handler_id;
END;
CREATE TRIGGER handler_settings_told_update AFTER UPDATE OF name, secret, sealed ON handler_settings BEGIN
    INSERT INTO changes (kind, name) SELECT 'handler', name FROM handlers WHERE id = NEW.handler_id;
END;
CREATE TRIGGER handler_settings_told_delete AFTER DELETE ON handler_settings BEGIN
    INSERT INTO changes (kind, name) SELECT 'handler', name FROM handlers WHERE id = OLD.handler_id;
END;
CREATE TRIGGER routes_told_insert AFTER INSERT ON routes BEGIN
    INSERT INTO changes (kind, name) VALUES ('host', NEW.host);
END;
CREATE TRIGGER routes_told_update AFTER UPDATE OF handler_id, strip_prefix ON routes BEGIN
    INSERT INTO changes (kind, name) VALUES ('host', NEW.host);
END;
CREATE TRIGGER routes_told_delete AFTER DELETE ON routes BEGIN
    INSERT INTO changes (kind, name) VALUES ('host', OLD.host);
END;
CREATE TRIGGER hosts_told_update AFTER UPDATE OF proven_at ON hosts BEGIN
    INSERT INTO changes (kind, name) VALUES ('host', NEW.name);
END;
CREATE TRIGGER hosts_told_delete AFTER DELETE ON hosts BEGIN
    INSERT INTO changes (kind, name) VALUES ('host', OLD.name);
END;

CREATE TRIGGER schema_floor_updated_at AFTER UPDATE ON schema_floor BEGIN
    UPDATE schema_floor SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE id = NEW.id;
END;
CREATE TRIGGER changes_updated_at AFTER UPDATE ON changes BEGIN
    UPDATE changes SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE position = NEW.position;
END;
CREATE TRIGGER executors_updated_at AFTER UPDATE ON executors BEGIN
    UPDATE executors SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER nonces_updated_at AFTER UPDATE ON nonces BEGIN
    UPDATE nonces SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER claims_updated_at AFTER UPDATE ON claims BEGIN
    UPDATE claims SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER recordings_updated_at AFTER UPDATE ON recordings BEGIN
    UPDATE recordings SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE position = NEW.position;
END;
CREATE TRIGGER hosts_updated_at AFTER UPDATE ON hosts BEGIN
    UPDATE hosts SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER routes_updated_at AFTER UPDATE ON routes BEGIN
    UPDATE routes SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
