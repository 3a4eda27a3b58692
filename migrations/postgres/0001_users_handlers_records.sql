-- Users, handlers and records. The same tables, columns and names as in the SQLite migration of
-- this number. Times are milliseconds since 1970; digests are sha256, 32 bytes.
--
-- `updated_at` never goes back, whatever the clock does.

CREATE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
$$;

CREATE FUNCTION keep_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := greatest(OLD.updated_at, now_ms());
    RETURN NEW;
END
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version never changes';
END
$$;

CREATE TABLE users (
    id            UUID    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    is_admin      BOOLEAN NOT NULL,
    created_at    BIGINT  NOT NULL DEFAULT now_ms(),
    updated_at    BIGINT  NOT NULL DEFAULT now_ms()
);

CREATE TABLE invitations (
    code_hash  BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    created_by UUID   NOT NULL REFERENCES users (id),
    expires_at BIGINT NOT NULL,
    used_at    BIGINT,
    -- Deferred: the invitation is used up before its user is added, both in one transaction.
    used_by    UUID   REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    CHECK ((used_at IS NULL) = (used_by IS NULL))
);

CREATE TABLE tokens (
    id         UUID   NOT NULL PRIMARY KEY,
    user_id    UUID   NOT NULL REFERENCES users (id),
    label      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms()
);
CREATE INDEX tokens_by_user ON tokens (user_id, created_at);

CREATE TABLE modules (
    digest     BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(digest) = 32),
    size_bytes BIGINT NOT NULL,
    abi        TEXT   NOT NULL,
    inspection TEXT   NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms()
);

CREATE TABLE handlers (
    id                    UUID    NOT NULL PRIMARY KEY,
    owner_id              UUID    NOT NULL REFERENCES users (id),
    name                  TEXT    NOT NULL,
    forward_authorization BOOLEAN NOT NULL,
    -- The version that the address serves, and the last number that was given out.
    live_version          BIGINT  NOT NULL,
    last_version          BIGINT  NOT NULL,
    deleted_at            BIGINT,
    created_at            BIGINT  NOT NULL DEFAULT now_ms(),
    updated_at            BIGINT  NOT NULL DEFAULT now_ms()
);
CREATE UNIQUE INDEX handlers_live_name ON handlers (name) WHERE deleted_at IS NULL;
CREATE INDEX handlers_held_name ON handlers (name, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX handlers_by_owner ON handlers (owner_id, name) WHERE deleted_at IS NULL;

CREATE TABLE versions (
    handler_id UUID   NOT NULL REFERENCES handlers (id),
    number     BIGINT NOT NULL CHECK (number > 0),
    digest     BYTEA  NOT NULL REFERENCES modules (digest),
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (handler_id, number)
);
CREATE INDEX versions_by_digest ON versions (digest);

-- What an address serves always exists. Deferred: a handler and its version come together.
ALTER TABLE handlers ADD FOREIGN KEY (id, live_version) REFERENCES versions (handler_id, number)
    DEFERRABLE INITIALLY DEFERRED;

-- Records have no foreign key: they come in large batches that were checked already, and a handler's
-- row is never removed.
--
-- `position` is the order in which the store learned of records.

CREATE TABLE invocations (
    position   BIGSERIAL NOT NULL PRIMARY KEY,
    id         UUID      NOT NULL UNIQUE,
    handler_id UUID      NOT NULL,
    started_at BIGINT    NOT NULL,
    receipt    TEXT      NOT NULL,
    created_at BIGINT    NOT NULL DEFAULT now_ms(),
    updated_at BIGINT    NOT NULL DEFAULT now_ms()
);
CREATE INDEX invocations_by_time ON invocations (handler_id, started_at, position);
CREATE INDEX invocations_by_position ON invocations (handler_id, position);
CREATE INDEX invocations_by_age ON invocations (started_at);

CREATE TABLE log_lines (
    position      BIGSERIAL NOT NULL PRIMARY KEY,
    handler_id    UUID      NOT NULL,
    invocation_id UUID      NOT NULL,
    seq           BIGINT    NOT NULL,
    at            BIGINT    NOT NULL,
    level         BIGINT    NOT NULL,
    source        TEXT      NOT NULL,
    text          TEXT      NOT NULL,
    created_at    BIGINT    NOT NULL DEFAULT now_ms(),
    updated_at    BIGINT    NOT NULL DEFAULT now_ms(),
    UNIQUE (invocation_id, seq)
);
CREATE INDEX log_lines_by_time ON log_lines (handler_id, at, position);
CREATE INDEX log_lines_by_position ON log_lines (handler_id, position);
CREATE INDEX log_lines_by_age ON log_lines (at);

CREATE TRIGGER users_updated_at BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER invitations_updated_at BEFORE UPDATE ON invitations FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER tokens_updated_at BEFORE UPDATE ON tokens FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER modules_updated_at BEFORE UPDATE ON modules FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER handlers_updated_at BEFORE UPDATE ON handlers FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER versions_updated_at BEFORE UPDATE ON versions FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER invocations_updated_at BEFORE UPDATE ON invocations FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER log_lines_updated_at BEFORE UPDATE ON log_lines FOR EACH ROW EXECUTE FUNCTION keep_updated_at();

-- A version is what was uploaded, for ever.
CREATE TRIGGER versions_immutable BEFORE UPDATE OF handler_id, number, digest ON versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
