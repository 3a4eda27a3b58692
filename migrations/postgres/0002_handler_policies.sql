-- A handler's own policy, as JSON: which URLs it may open, and limits of its own. Nothing in it means the
-- operator's defaults. The same column as in the SQLite migration of this number.

ALTER TABLE handlers ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
