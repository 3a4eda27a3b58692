-- What many processes need: a feed of changes, the executors that are there, nonces of signed requests; how a
-- handler came to serve its version; recorded invocations; hosts and routes. The same tables, columns and names
-- as in the SQLite migration of this number. Programs of the migration before go on working with it.

-- The oldest migration that a program has to know to work with this schema: one that knows less is refused, one
-- that knows it goes on while others are newer already.
CREATE TABLE schema_floor (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    migration  BIGINT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms()
);
INSERT INTO schema_floor (id, migration) VALUES (1, 3);

-- What executors have to ask for anew, in the order of the commits. All but the newest are swept.
CREATE TABLE changes (
    position   BIGSERIAL NOT NULL PRIMARY KEY,
    kind       TEXT      NOT NULL CHECK (kind IN ('handler', 'host')),
    name       TEXT      NOT NULL,
    created_at BIGINT    NOT NULL DEFAULT now_ms(),
    updated_at BIGINT    NOT NULL DEFAULT now_ms()
);

-- The lock is held until the commit: positions become visible in their order, and no follower skips one. The
-- number is this program's own.
CREATE FUNCTION tell_change(kind TEXT, name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7730266);
    INSERT INTO changes (kind, name) VALUES (tell_change.kind, tell_change.name);
    NOTIFY wasmcloud_changes;
END
$$;

CREATE TABLE executors (
    id         UUID   NOT NULL PRIMARY KEY,
    -- As JSON: what it said of itself when it was last heard of.
    report     TEXT   NOT NULL,
    seen_at    BIGINT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms()
);

-- Signed requests between the planes that were taken already, until their time is over.
CREATE TABLE nonces (
    nonce      BYTEA  NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms()
);
CREATE INDEX nonces_by_age ON nonces (expires_at);

-- What one process does that others must not do at the same time, until it ends or its time is over: uploads hold
-- their module together, whoever deletes modules holds each alone.
CREATE TABLE claims (
    subject    TEXT    NOT NULL,
    holder     UUID    NOT NULL,
    alone      BOOLEAN NOT NULL,
    expires_at BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL DEFAULT now_ms(),
    updated_at BIGINT  NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (subject, holder)
);
CREATE INDEX claims_by_holder ON claims (holder);
CREATE INDEX claims_by_age ON claims (expires_at);

-- When the live version became live, and which one was before: what a rollback goes back to.
ALTER TABLE handlers ADD COLUMN promoted_at BIGINT;
ALTER TABLE handlers ADD COLUMN previous_version BIGINT;
-- A version that answers a part of the clients, since when, and how large the part is.
ALTER TABLE handlers ADD COLUMN split_version BIGINT;
ALTER TABLE handlers ADD COLUMN split_at BIGINT;
ALTER TABLE handlers ADD COLUMN split_percent BIGINT CHECK (split_percent BETWEEN 1 AND 99);
-- Whether a new version that fails more than its predecessor is rolled back, and the last time that it was, as JSON.
ALTER TABLE handlers ADD COLUMN auto_rollback BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE handlers ADD COLUMN rolled_back TEXT;
-- What is recorded, as JSON; nothing if absent.
ALTER TABLE handlers ADD COLUMN recording TEXT;
ALTER TABLE handlers ADD CHECK ((split_version IS NULL) = (split_percent IS NULL));
CREATE INDEX handlers_watched ON handlers (promoted_at) WHERE auto_rollback AND deleted_at IS NULL;
CREATE INDEX handlers_split ON handlers (split_at) WHERE auto_rollback AND deleted_at IS NULL AND split_at IS NOT NULL;

-- Of which version a receipt is, and whether the program failed: 0, 1, or nothing where that is not counted.
ALTER TABLE invocations ADD COLUMN version BIGINT;
ALTER TABLE invocations ADD COLUMN failed BIGINT;
CREATE INDEX invocations_by_version ON invocations (handler_id, version, started_at, failed)
    WHERE failed IS NOT NULL;

CREATE TABLE recordings (
    position      BIGSERIAL NOT NULL PRIMARY KEY,
    invocation_id UUID      NOT NULL UNIQUE,
    handler_id    UUID      NOT NULL,
    method        TEXT      NOT NULL,
    started_at    BIGINT    NOT NULL,
    recording     TEXT      NOT NULL,
    created_at    BIGINT    NOT NULL DEFAULT now_ms(),
    updated_at    BIGINT    NOT NULL DEFAULT now_ms()
);
CREATE INDEX recordings_by_position ON recordings (handler_id, position);
CREATE INDEX recordings_by_time ON recordings (started_at);

-- Who wants to route a host, and whether it is proven or granted that they may: at most one.
CREATE TABLE hosts (
    name       TEXT   NOT NULL,
    owner_id   UUID   NOT NULL REFERENCES users (id),
    -- What the DNS record has to say.
    challenge  TEXT   NOT NULL,
    proven_at  BIGINT,
    granted_by UUID   REFERENCES users (id),
    -- When DNS was last asked again about a proof, and what was wrong then.
    checked_at BIGINT,
    problem    TEXT,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (name, owner_id)
);
CREATE UNIQUE INDEX hosts_proven ON hosts (name) WHERE proven_at IS NOT NULL;

-- What whoever has a host makes of it: of several who want it, only the routes of the one who has proven it are
-- served, and nobody keeps a path from anybody else.
CREATE TABLE routes (
    host         TEXT    NOT NULL,
    path         TEXT    NOT NULL CHECK (path LIKE '/%'),
    owner_id     UUID    NOT NULL,
    handler_id   UUID    NOT NULL REFERENCES handlers (id),
    strip_prefix BOOLEAN NOT NULL,
    created_at   BIGINT  NOT NULL DEFAULT now_ms(),
    updated_at   BIGINT  NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (host, owner_id, path),
    FOREIGN KEY (host, owner_id) REFERENCES hosts (name, owner_id)
);
CREATE INDEX routes_by_handler ON routes (handler_id);

CREATE FUNCTION tell_handler() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_change('handler', NEW.name);
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_setting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_change('handler', name) FROM handlers WHERE id = coalesce(NEW.handler_id, OLD.handler_id);
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_change('host', coalesce(NEW.host, OLD.host));
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_host() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_change('host', coalesce(NEW.name, OLD.name));
    RETURN NULL;
END
$$;
CREATE TRIGGER handlers_told_insert AFTER INSERT ON handlers FOR EACH ROW EXECUTE FUNCTION tell_handler();
CREATE TRIGGER handlers_told_update AFTER UPDATE OF live_version, split_version, split_percent, policy,
    forward_authorization, recording, deleted_at ON handlers FOR EACH ROW EXECUTE FUNCTION tell_handler();
CREATE TRIGGER handler_settings_told_insert AFTER INSERT ON handler_settings
    FOR EACH ROW EXECUTE FUNCTION tell_setting();
CREATE TRIGGER handler_settings_told_update AFTER UPDATE OF name, secret, sealed ON handler_settings
    FOR EACH ROW EXECUTE FUNCTION tell_setting();
CREATE TRIGGER handler_settings_told_delete AFTER DELETE ON handler_settings
    FOR EACH ROW EXECUTE FUNCTION tell_setting();
CREATE TRIGGER routes_told_insert AFTER INSERT ON routes FOR EACH ROW EXECUTE FUNCTION tell_route();
CREATE TRIGGER routes_told_update AFTER UPDATE OF handler_id, strip_prefix ON routes
    FOR EACH ROW EXECUTE FUNCTION tell_route();
CREATE TRIGGER routes_told_delete AFTER DELETE ON routes FOR EACH ROW EXECUTE FUNCTION tell_route();
CREATE TRIGGER hosts_told_update AFTER UPDATE OF proven_at ON hosts FOR EACH ROW EXECUTE FUNCTION tell_host();
CREATE TRIGGER hosts_told_delete AFTER DELETE ON hosts FOR EACH ROW EXECUTE FUNCTION tell_host();

CREATE TRIGGER schema_floor_updated_at BEFORE UPDATE ON schema_floor FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER changes_updated_at BEFORE UPDATE ON changes FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER executors_updated_at BEFORE UPDATE ON executors FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER nonces_updated_at BEFORE UPDATE ON nonces FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER claims_updated_at BEFORE UPDATE ON claims FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER recordings_updated_at BEFORE UPDATE ON recordings FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER hosts_updated_at BEFORE UPDATE ON hosts FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER routes_updated_at BEFORE UPDATE ON routes FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
