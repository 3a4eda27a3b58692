-- Users, handlers and records. The same tables, columns and names as in the PostgreSQL migration of
-- this number. Times are milliseconds since 1970; ids are UUIDs of 16 bytes; digests sha256, 32 bytes.
--
-- `updated_at` never goes back, whatever the clock does.

CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name          TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    is_admin      INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
    created_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;

CREATE TABLE invitations (
    code_hash  BLOB    NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),
    created_by BLOB    NOT NULL REFERENCES users (id),
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    -- Deferred: the invitation is used up before its user is added, both in one transaction.
    used_by    BLOB    REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    CHECK ((used_at IS NULL) = (used_by IS NULL))
) STRICT;

CREATE TABLE tokens (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    label      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id, created_at);

CREATE TABLE modules (
    digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    size_bytes INTEGER NOT NULL,
    abi        TEXT    NOT NULL,
    inspection TEXT    NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;

CREATE TABLE handlers (
    id                    BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner_id              BLOB    NOT NULL REFERENCES users (id),
    name                  TEXT    NOT NULL,
    forward_authorization INTEGER NOT NULL CHECK (forward_authorization IN (0, 1)),
    -- The version that the address serves, and the last number that was given out.
    live_version          INTEGER NOT NULL,
    last_version          INTEGER NOT NULL,
    deleted_at            INTEGER,
    created_at            INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at            INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    -- What an address serves always exists. Deferred: a handler and its version come together.
    FOREIGN KEY (id, live_version) REFERENCES versions (handler_id, number) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX handlers_live_name ON handlers (name) WHERE deleted_at IS NULL;
CREATE INDEX handlers_held_name ON handlers (name, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX handlers_by_owner ON handlers (owner_id, name) WHERE deleted_at IS NULL;

CREATE TABLE versions (
    handler_id BLOB    NOT NULL REFERENCES handlers (id),
    number     INTEGER NOT NULL CHECK (number > 0),
    digest     BLOB    NOT NULL REFERENCES modules (digest),
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (handler_id, number)
) STRICT;
CREATE INDEX versions_by_digest ON versions (digest);

-- Records have no foreign key: they come in large batches that were checked already, and a handler's
-- row is never removed.
--
-- `position` is the order in which the store learned of records; AUTOINCREMENT never gives one twice.

CREATE TABLE invocations (
    position   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    handler_id BLOB    NOT NULL,
    started_at INTEGER NOT NULL,
    receipt    TEXT    NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX invocations_by_time ON invocations (handler_id, started_at, position);
CREATE INDEX invocations_by_position ON invocations (handler_id, position);
CREATE INDEX invocations_by_age ON invocations (started_at);

CREATE TABLE log_lines (
    position      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    handler_id    BLOB    NOT NULL,
    invocation_id BLOB    NOT NULL CHECK (length(invocation_id) = 16),
    seq           INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    level         INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    text          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    UNIQUE (invocation_id, seq)
) STRICT;
CREATE INDEX log_lines_by_time ON log_lines (handler_id, at, position);
CREATE INDEX log_lines_by_position ON log_lines (handler_id, position);
CREATE INDEX log_lines_by_age ON log_lines (at);

CREATE TRIGGER users_updated_at AFTER UPDATE ON users BEGIN
    UPDATE users SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER invitations_updated_at AFTER UPDATE ON invitations BEGIN
    UPDATE invitations SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER tokens_updated_at AFTER UPDATE ON tokens BEGIN
    UPDATE tokens SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER modules_updated_at AFTER UPDATE ON modules BEGIN
    UPDATE modules SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER handlers_updated_at AFTER UPDATE ON handlers BEGIN
    UPDATE handlers SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER versions_updated_at AFTER UPDATE ON versions BEGIN
    UPDATE versions SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER invocations_updated_at AFTER UPDATE ON invocations BEGIN
    UPDATE invocations SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE position = NEW.position;
END;
CREATE TRIGGER log_lines_updated_at AFTER UPDATE ON log_lines BEGIN
    UPDATE log_lines SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE position = NEW.position;
END;

-- A version is what was uploaded, for ever.
CREATE TRIGGER versions_immutable BEFORE UPDATE OF handler_id, number, digest ON versions BEGIN
    SELECT RAISE(ABORT, 'a version never changes');
END;
