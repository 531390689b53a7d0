-- config.db, version 1: what an administrator has set, and who set it when.

-- Facts about the file itself: `master_key_check`, which tells a wrong master key, and after a rotation
-- `pepper`, sealed.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Every noun that needs no columns of its own. `parent` is '' or the id of the noun it belongs to;
-- `seq` is the order of creation and never changes.
CREATE TABLE document (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    kind   TEXT NOT NULL,
    parent TEXT NOT NULL,
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    UNIQUE (kind, parent, id)
) STRICT;
CREATE INDEX document_order ON document (kind, parent, seq);

-- What is looked up, filtered or read at start stands in this narrow table, the rest in api_key_body.
CREATE TABLE api_key (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    digest      BLOB NOT NULL UNIQUE,
    enabled     INTEGER NOT NULL,
    name        TEXT,
    customer_id TEXT
) STRICT;
-- An index ends with seq by nature, so both also order what they find.
CREATE INDEX api_key_name ON api_key (name);
CREATE INDEX api_key_customer ON api_key (customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE api_key_body (
    key_seq INTEGER PRIMARY KEY,
    sealed  BLOB,
    body    TEXT NOT NULL
) STRICT;

CREATE TABLE plan_key (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    plan_id TEXT NOT NULL,
    key_id  TEXT NOT NULL,
    UNIQUE (plan_id, key_id)
) STRICT;
CREATE INDEX plan_key_of_plan ON plan_key (plan_id);
CREATE INDEX plan_key_of_key ON plan_key (key_id);

-- UpdateUsage: the newest extension of each plan and key. Days since 1970-01-01.
CREATE TABLE extension (
    plan_id          TEXT NOT NULL,
    key_id           TEXT NOT NULL,
    window_start_day INTEGER NOT NULL,
    delta            INTEGER NOT NULL,
    PRIMARY KEY (plan_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX extension_of_key ON extension (key_id);

-- Who may call the control plane.
CREATE TABLE access_key (
    id      TEXT PRIMARY KEY,
    sealed  BLOB NOT NULL,
    created INTEGER NOT NULL,
    label   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a commit, in the same transaction; `seq` is the commit's revision.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    who        TEXT NOT NULL,
    operation  TEXT NOT NULL,
    request_id TEXT NOT NULL,
    source_ip  TEXT NOT NULL,
    what       TEXT NOT NULL
) STRICT;
