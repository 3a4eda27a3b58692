-- People: plans and what is used of them, teams, the panel's sessions, identities at other providers, logins by browser,
-- the audit log; and sums for charts. The same tables, columns and names as in the PostgreSQL migration of this number.
-- Programs of the migration before go on working with it.

UPDATE schema_floor SET migration = 4;

-- An account is a user or a team: either owns handlers and hosts. A team has no password, nor has who only signs in
-- elsewhere: nothing hashes to an empty text.
ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'user' CHECK (kind IN ('user', 'team'));
-- Nothing is the plan for newcomers.
ALTER TABLE users ADD COLUMN plan TEXT REFERENCES plans (name);
ALTER TABLE users ADD COLUMN suspended_at INTEGER;
ALTER TABLE users ADD COLUMN suspended_reason TEXT;

-- What a token may be used for, its words with spaces between them, and for which handlers alone, as a JSON array of
-- names; nothing for all.
ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT 'admin deploy invoke read';
ALTER TABLE tokens ADD COLUMN handlers TEXT;
ALTER TABLE tokens ADD COLUMN used_at INTEGER;

-- What an account may use: named by the operator. Nothing where there is no limit. One is for newcomers.
CREATE TABLE plans (
    name                       TEXT    NOT NULL PRIMARY KEY,
    handlers_max               INTEGER,
    storage_bytes_max          INTEGER,
    invocations_per_minute_max INTEGER,
    concurrent_max             INTEGER,
    cpu_ms_per_day_max         INTEGER,
    is_default                 INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    created_at                 INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at                 INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE UNIQUE INDEX plans_default ON plans (is_default) WHERE is_default;

-- Who asks for a larger plan, and what became of it.
CREATE TABLE plan_requests (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account_id BLOB    NOT NULL REFERENCES users (id),
    asked_by   BLOB    NOT NULL REFERENCES users (id),
    plan       TEXT    NOT NULL REFERENCES plans (name),
    reason     TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'withdrawn')),
    decided_by BLOB    REFERENCES users (id),
    decided_at INTEGER,
    note       TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE UNIQUE INDEX plan_requests_open ON plan_requests (account_id) WHERE state = 'open';
CREATE INDEX plan_requests_by_state ON plan_requests (state, created_at);

-- What executors have run for an account: for each executor and day (since 1970) the sums of the day, and those of its last
-- minute (since 1970). Each executor writes rows of its own, whose sums only grow.
CREATE TABLE usage (
    account_id         BLOB    NOT NULL,
    executor_id        BLOB    NOT NULL,
    day                INTEGER NOT NULL,
    invocations        INTEGER NOT NULL,
    cpu_us             INTEGER NOT NULL,
    minute             INTEGER NOT NULL,
    minute_invocations INTEGER NOT NULL,
    running            INTEGER NOT NULL,
    seen_at            INTEGER NOT NULL,
    created_at         INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at         INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (account_id, day, executor_id)
) STRICT;
CREATE INDEX usage_by_day ON usage (day);

-- Who belongs to a team, and as what.
CREATE TABLE members (
    team_id    BLOB    NOT NULL REFERENCES users (id),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'deployer', 'viewer')),
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (team_id, user_id)
) STRICT;
CREATE INDEX members_by_user ON members (user_id);

-- Roles that owners offer to whoever is to join their team, or to own it as well. Whoever has not accepted one has it not:
-- `members` alone says who belongs to a team.
CREATE TABLE offers (
    team_id    BLOB    NOT NULL REFERENCES users (id),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'deployer', 'viewer')),
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (team_id, user_id)
) STRICT;
CREATE INDEX offers_by_user ON offers (user_id, expires_at);

-- Sessions of the panel: what a browser's cookie has is found by its hash.
CREATE TABLE sessions (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    secret_hash BLOB    NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    user_id     BLOB    NOT NULL REFERENCES users (id),
    user_agent  TEXT    NOT NULL,
    peer        TEXT    NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at  INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_age ON sessions (expires_at);

-- Who a user is elsewhere: at a provider of OpenID Connect.
CREATE TABLE identities (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    BLOB    NOT NULL REFERENCES users (id),
    provider   TEXT    NOT NULL,
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    used_at    INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX identities_by_user ON identities (user_id);

-- Steps that somebody is in the middle of, each good once: signing in at a provider, choosing a name, setting a new
-- password. What the person holds is found by its hash.
CREATE TABLE tickets (
    secret_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(secret_hash) = 32),
    kind        TEXT    NOT NULL,
    user_id     BLOB    REFERENCES users (id),
    data        TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at  INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX tickets_by_age ON tickets (expires_at);
CREATE INDEX tickets_by_user ON tickets (user_id);

-- Logins of the command line that a browser approves.
CREATE TABLE logins (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_code     TEXT    NOT NULL UNIQUE,
    challenge     BLOB    NOT NULL,
    label         TEXT    NOT NULL,
    peer          TEXT    NOT NULL,
    redirect_port INTEGER,
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used')),
    user_id       BLOB    REFERENCES users (id),
    code_hash     BLOB    CHECK (length(code_hash) = 32),
    polled_at     INTEGER,
    expires_at    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at    INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX logins_by_age ON logins (expires_at);

-- Who changed what, when, from where. A row is there before its change begins; its status is what came of it.
CREATE TABLE audit (
    position   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    actor_id   BLOB,
    actor      TEXT    NOT NULL,
    via        TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    account_id BLOB,
    detail     TEXT    NOT NULL,
    peer       TEXT    NOT NULL,
    request_id BLOB    NOT NULL,
    status     INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor_id, position);
CREATE INDEX audit_by_account ON audit (account_id, position);
CREATE INDEX audit_by_age ON audit (created_at);

-- Tries that are limited whichever process they come to, in each window of time (its length, and its number since 1970).
CREATE TABLE tries (
    key        TEXT    NOT NULL,
    window_s   INTEGER NOT NULL,
    window_no  INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (key, window_s, window_no)
) STRICT;
CREATE INDEX tries_by_age ON tries (created_at);

-- Whether an invocation failed, whatever asked for it: those alone can be listed.
ALTER TABLE invocations ADD COLUMN is_failure INTEGER NOT NULL DEFAULT 0 CHECK (is_failure IN (0, 1));
UPDATE invocations SET is_failure = 1 WHERE failed = 1;
CREATE INDEX invocations_failed ON invocations (handler_id, started_at, position) WHERE is_failure;

-- A handler's invocations in sum, for each minute (since 1970).
CREATE TABLE chart_minutes (
    handler_id        BLOB    NOT NULL,
    minute            INTEGER NOT NULL,
    invocations       INTEGER NOT NULL,
    failures          INTEGER NOT NULL,
    gas               INTEGER NOT NULL,
    cpu_us            INTEGER NOT NULL,
    memory_peak_bytes INTEGER NOT NULL,
    created_at        INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at        INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (handler_id, minute)
) STRICT;
CREATE INDEX chart_minutes_by_age ON chart_minutes (minute);

-- How many of them took how long: wall time falls into bins, eight for each doubling.
CREATE TABLE chart_walls (
    handler_id BLOB    NOT NULL,
    minute     INTEGER NOT NULL,
    bin        INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (handler_id, minute, bin)
) STRICT;
CREATE INDEX chart_walls_by_age ON chart_walls (minute);

-- Who was there before goes on as before; newcomers have the plan for them.
INSERT INTO plans (name, handlers_max, storage_bytes_max, invocations_per_minute_max, concurrent_max, cpu_ms_per_day_max,
    is_default)
VALUES ('standard', 50, 524288000, 6000, 32, 3600000, 1), ('unlimited', NULL, NULL, NULL, NULL, NULL, 0);
UPDATE users SET plan = 'unlimited';

-- Whose a handler is, whether that account is suspended, and its plan are parts of what executors know of it.
CREATE TRIGGER handlers_told_owner AFTER UPDATE OF owner_id ON handlers BEGIN
    INSERT INTO changes (kind, name) VALUES ('handler', NEW.name);
END;
-- An executor may know a version that is deleted, by its own address.
CREATE TRIGGER versions_told_delete AFTER DELETE ON versions BEGIN
    INSERT INTO changes (kind, name) SELECT 'handler', name FROM handlers WHERE id = OLD.handler_id;
END;
CREATE TRIGGER users_told_update AFTER UPDATE OF suspended_at, suspended_reason, plan ON users BEGIN
    INSERT INTO changes (kind, name) SELECT 'handler', name FROM handlers WHERE owner_id = NEW.id AND deleted_at IS NULL;
END;
CREATE TRIGGER plans_told_update AFTER UPDATE OF invocations_per_minute_max, concurrent_max, cpu_ms_per_day_max,
    is_default ON plans BEGIN
    INSERT INTO changes (kind, name) SELECT 'handler', h.name FROM handlers h JOIN users u ON u.id = h.owner_id
    WHERE h.deleted_at IS NULL AND (u.plan = NEW.name OR (u.plan IS NULL AND (NEW.is_default OR OLD.is_default)));
END;

CREATE TRIGGER plans_updated_at AFTER UPDATE ON plans BEGIN
    UPDATE plans SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER plan_requests_updated_at AFTER UPDATE ON plan_requests BEGIN
    UPDATE plan_requests SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER usage_updated_at AFTER UPDATE ON usage BEGIN
    UPDATE usage SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER members_updated_at AFTER UPDATE ON members BEGIN
    UPDATE members SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER offers_updated_at AFTER UPDATE ON offers BEGIN
    UPDATE offers SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER sessions_updated_at AFTER UPDATE ON sessions BEGIN
    UPDATE sessions SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER identities_updated_at AFTER UPDATE ON identities BEGIN
    UPDATE identities SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER tickets_updated_at AFTER UPDATE ON tickets BEGIN
    UPDATE tickets SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER logins_updated_at AFTER UPDATE ON logins BEGIN
    UPDATE logins SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER audit_updated_at AFTER UPDATE ON audit BEGIN
    UPDATE audit SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE position = NEW.position;
END;
CREATE TRIGGER tries_updated_at AFTER UPDATE ON tries BEGIN
    UPDATE tries SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER chart_minutes_updated_at AFTER UPDATE ON chart_minutes BEGIN
    UPDATE chart_minutes SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER chart_walls_updated_at AFTER UPDATE ON chart_walls BEGIN
    UPDATE chart_walls SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
