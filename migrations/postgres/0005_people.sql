-- People: plans and what is used of them, teams, the panel's sessions, identities at other providers, logins by browser,
-- the audit log; and sums for charts. The same tables, columns and names as in the SQLite migration of this number.
-- Programs of the migration before go on working with it.

UPDATE schema_floor SET migration = 4;

-- An account is a user or a team: either owns handlers and hosts. A team has no password, nor has who only signs in
-- elsewhere: nothing hashes to an empty text.
ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'user' CHECK (kind IN ('user', 'team'));
-- Nothing is the plan for newcomers.
ALTER TABLE users ADD COLUMN plan TEXT;
ALTER TABLE users ADD COLUMN suspended_at BIGINT;
ALTER TABLE users ADD COLUMN suspended_reason TEXT;

-- What a token may be used for, its words with spaces between them, and for which handlers alone, as a JSON array of
-- names; nothing for all.
ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT 'admin deploy invoke read';
ALTER TABLE tokens ADD COLUMN handlers TEXT;
ALTER TABLE tokens ADD COLUMN used_at BIGINT;

-- What an account may use: named by the operator. Nothing where there is no limit. One is for newcomers.
CREATE TABLE plans (
    name                       TEXT    NOT NULL PRIMARY KEY,
    handlers_max               BIGINT,
    storage_bytes_max          BIGINT,
    invocations_per_minute_max BIGINT,
    concurrent_max             BIGINT,
    cpu_ms_per_day_max         BIGINT,
    is_default                 BOOLEAN NOT NULL,
    created_at                 BIGINT  NOT NULL DEFAULT now_ms(),
    updated_at                 BIGINT  NOT NULL DEFAULT now_ms()
);
CREATE UNIQUE INDEX plans_default ON plans (is_default) WHERE is_default;

-- Who asks for a larger plan, and what became of it.
CREATE TABLE plan_requests (
    id         UUID   NOT NULL PRIMARY KEY,
    account_id UUID   NOT NULL REFERENCES users (id),
    asked_by   UUID   NOT NULL REFERENCES users (id),
    plan       TEXT   NOT NULL REFERENCES plans (name),
    reason     TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'withdrawn')),
    decided_by UUID   REFERENCES users (id),
    decided_at BIGINT,
    note       TEXT,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms()
);
CREATE UNIQUE INDEX plan_requests_open ON plan_requests (account_id) WHERE state = 'open';
CREATE INDEX plan_requests_by_state ON plan_requests (state, created_at);

-- What executors have run for an account: for each executor and day (since 1970) the sums of the day, and those of its last
-- minute (since 1970). Each executor writes rows of its own, whose sums only grow.
CREATE TABLE usage (
    account_id         UUID   NOT NULL,
    executor_id        UUID   NOT NULL,
    day                BIGINT NOT NULL,
    invocations        BIGINT NOT NULL,
    cpu_us             BIGINT NOT NULL,
    minute             BIGINT NOT NULL,
    minute_invocations BIGINT NOT NULL,
    running            BIGINT NOT NULL,
    seen_at            BIGINT NOT NULL,
    created_at         BIGINT NOT NULL DEFAULT now_ms(),
    updated_at         BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (account_id, day, executor_id)
);
CREATE INDEX usage_by_day ON usage (day);

-- Who belongs to a team, and as what.
CREATE TABLE members (
    team_id    UUID   NOT NULL REFERENCES users (id),
    user_id    UUID   NOT NULL REFERENCES users (id),
    role       TEXT   NOT NULL CHECK (role IN ('owner', 'deployer', 'viewer')),
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

-- Roles that owners offer to whoever is to join their team, or to own it as well. Whoever has not accepted one has it not:
-- `members` alone says who belongs to a team.
CREATE TABLE offers (
    team_id    UUID   NOT NULL REFERENCES users (id),
    user_id    UUID   NOT NULL REFERENCES users (id),
    role       TEXT   NOT NULL CHECK (role IN ('owner', 'deployer', 'viewer')),
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX offers_by_user ON offers (user_id, expires_at);

-- Sessions of the panel: what a browser's cookie has is found by its hash.
CREATE TABLE sessions (
    id          UUID   NOT NULL PRIMARY KEY,
    secret_hash BYTEA  NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    user_id     UUID   NOT NULL REFERENCES users (id),
    user_agent  TEXT   NOT NULL,
    peer        TEXT   NOT NULL,
    seen_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL DEFAULT now_ms(),
    updated_at  BIGINT NOT NULL DEFAULT now_ms()
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_age ON sessions (expires_at);

-- Who a user is elsewhere: at a provider of OpenID Connect.
CREATE TABLE identities (
    id         UUID   NOT NULL PRIMARY KEY,
    user_id    UUID   NOT NULL REFERENCES users (id),
    provider   TEXT   NOT NULL,
    issuer     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    label      TEXT   NOT NULL,
    used_at    BIGINT,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);

-- Steps that somebody is in the middle of, each good once: signing in at a provider, choosing a name, setting a new
-- password. What the person holds is found by its hash.
CREATE TABLE tickets (
    secret_hash BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(secret_hash) = 32),
    kind        TEXT   NOT NULL,
    user_id     UUID   REFERENCES users (id),
    data        TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL DEFAULT now_ms(),
    updated_at  BIGINT NOT NULL DEFAULT now_ms()
);
CREATE INDEX tickets_by_age ON tickets (expires_at);
CREATE INDEX tickets_by_user ON tickets (user_id);

-- Logins of the command line that a browser approves.
CREATE TABLE logins (
    id            UUID   NOT NULL PRIMARY KEY,
    user_code     TEXT   NOT NULL UNIQUE,
    challenge     BYTEA  NOT NULL,
    label         TEXT   NOT NULL,
    peer          TEXT   NOT NULL,
    redirect_port BIGINT,
    state         TEXT   NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used')),
    user_id       UUID   REFERENCES users (id),
    code_hash     BYTEA  CHECK (octet_length(code_hash) = 32),
    polled_at     BIGINT,
    expires_at    BIGINT NOT NULL,
    created_at    BIGINT NOT NULL DEFAULT now_ms(),
    updated_at    BIGINT NOT NULL DEFAULT now_ms()
);
CREATE INDEX logins_by_age ON logins (expires_at);

-- Who changed what, when, from where. A row is there before its change begins; its status is what came of it.
CREATE TABLE audit (
    position   BIGSERIAL NOT NULL PRIMARY KEY,
    actor_id   UUID,
    actor      TEXT      NOT NULL,
    via        TEXT      NOT NULL,
    action     TEXT      NOT NULL,
    subject    TEXT      NOT NULL,
    account_id UUID,
    detail     TEXT      NOT NULL,
    peer       TEXT      NOT NULL,
    request_id UUID      NOT NULL,
    status     BIGINT,
    created_at BIGINT    NOT NULL DEFAULT now_ms(),
    updated_at BIGINT    NOT NULL DEFAULT now_ms()
);
CREATE INDEX audit_by_actor ON audit (actor_id, position);
CREATE INDEX audit_by_account ON audit (account_id, position);
CREATE INDEX audit_by_age ON audit (created_at);

-- Tries that are limited whichever process they come to, in each window of time (its length, and its number since 1970).
CREATE TABLE tries (
    key        TEXT   NOT NULL,
    window_s   BIGINT NOT NULL,
    window_no  BIGINT NOT NULL,
    count      BIGINT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (key, window_s, window_no)
);
CREATE INDEX tries_by_age ON tries (created_at);

-- Whether an invocation failed, whatever asked for it: those alone can be listed.
ALTER TABLE invocations ADD COLUMN is_failure BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE invocations SET is_failure = TRUE WHERE failed = 1;
CREATE INDEX invocations_failed ON invocations (handler_id, started_at, position) WHERE is_failure;

-- A handler's invocations in sum, for each minute (since 1970).
CREATE TABLE chart_minutes (
    handler_id        UUID   NOT NULL,
    minute            BIGINT NOT NULL,
    invocations       BIGINT NOT NULL,
    failures          BIGINT NOT NULL,
    gas               BIGINT NOT NULL,
    cpu_us            BIGINT NOT NULL,
    memory_peak_bytes BIGINT NOT NULL,
    created_at        BIGINT NOT NULL DEFAULT now_ms(),
    updated_at        BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (handler_id, minute)
);
CREATE INDEX chart_minutes_by_age ON chart_minutes (minute);

-- How many of them took how long: wall time falls into bins, eight for each doubling.
CREATE TABLE chart_walls (
    handler_id UUID   NOT NULL,
    minute     BIGINT NOT NULL,
    bin        BIGINT NOT NULL,
    count      BIGINT NOT NULL,
    created_at BIGINT NOT NULL DEFAULT now_ms(),
    updated_at BIGINT NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (handler_id, minute, bin)
);
CREATE INDEX chart_walls_by_age ON chart_walls (minute);

-- Who was there before goes on as before; newcomers have the plan for them.
INSERT INTO plans (name, handlers_max, storage_bytes_max, invocations_per_minute_max, concurrent_max, cpu_ms_per_day_max,
    is_default)
VALUES ('standard', 50, 524288000, 6000, 32, 3600000, TRUE), ('unlimited', NULL, NULL, NULL, NULL, NULL, FALSE);
UPDATE users SET plan = 'unlimited';
ALTER TABLE users ADD FOREIGN KEY (plan) REFERENCES plans (name);

-- Whose a handler is, whether that account is suspended, and its plan are parts of what executors know of it.
CREATE TRIGGER handlers_told_owner AFTER UPDATE OF owner_id ON handlers FOR EACH ROW EXECUTE FUNCTION tell_handler();
-- An executor may know a version that is deleted, by its own address.
CREATE TRIGGER versions_told_delete AFTER DELETE ON versions FOR EACH ROW EXECUTE FUNCTION tell_setting();
CREATE FUNCTION tell_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_change('handler', name) FROM handlers WHERE owner_id = NEW.id AND deleted_at IS NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_change('handler', h.name) FROM handlers h JOIN users u ON u.id = h.owner_id
    WHERE h.deleted_at IS NULL AND (u.plan = NEW.name OR (u.plan IS NULL AND (NEW.is_default OR OLD.is_default)));
    RETURN NULL;
END
$$;
CREATE TRIGGER users_told_update AFTER UPDATE OF suspended_at, suspended_reason, plan ON users
    FOR EACH ROW EXECUTE FUNCTION tell_account();
CREATE TRIGGER plans_told_update AFTER UPDATE OF invocations_per_minute_max, concurrent_max, cpu_ms_per_day_max,
    is_default ON plans
    FOR EACH ROW EXECUTE FUNCTION tell_plan();

CREATE TRIGGER plans_updated_at BEFORE UPDATE ON plans FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER plan_requests_updated_at BEFORE UPDATE ON plan_requests FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER usage_updated_at BEFORE UPDATE ON usage FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER members_updated_at BEFORE UPDATE ON members FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER offers_updated_at BEFORE UPDATE ON offers FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER sessions_updated_at BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER identities_updated_at BEFORE UPDATE ON identities FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER tickets_updated_at BEFORE UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER logins_updated_at BEFORE UPDATE ON logins FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER audit_updated_at BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER tries_updated_at BEFORE UPDATE ON tries FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER chart_minutes_updated_at BEFORE UPDATE ON chart_minutes FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER chart_walls_updated_at BEFORE UPDATE ON chart_walls FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
