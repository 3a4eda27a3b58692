-- A handler's own settings: the variables of its program's environment. A value is encrypted (`sealed`) with
-- the settings key whose fingerprint is `key_id`, and bound to its row. The same table as in the PostgreSQL
-- migration of this number.

CREATE TABLE handler_settings (
    handler_id BLOB    NOT NULL REFERENCES handlers (id),
    name       TEXT    NOT NULL,
    secret     INTEGER NOT NULL CHECK (secret IN (0, 1)),
    key_id     TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER)),
    PRIMARY KEY (handler_id, name)
) STRICT;

CREATE TRIGGER handler_settings_updated_at AFTER UPDATE ON handler_settings BEGIN
    UPDATE handler_settings
    SET updated_at = max(OLD.updated_at, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
    WHERE rowid = NEW.rowid;
END;
