-- A handler's own settings: the variables of its program's environment. A value is encrypted (`sealed`) with
-- the settings key whose fingerprint is `key_id`, and bound to its row. The same table as in the SQLite
-- migration of this number.

CREATE TABLE handler_settings (
    handler_id UUID    NOT NULL REFERENCES handlers (id),
    name       TEXT    NOT NULL,
    secret     BOOLEAN NOT NULL,
    key_id     TEXT    NOT NULL,
    sealed     BYTEA   NOT NULL,
    created_at BIGINT  NOT NULL DEFAULT now_ms(),
    updated_at BIGINT  NOT NULL DEFAULT now_ms(),
    PRIMARY KEY (handler_id, name)
);

CREATE TRIGGER handler_settings_updated_at BEFORE UPDATE ON handler_settings
    FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
