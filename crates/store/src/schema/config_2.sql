-- Version 2 of config.db: private keys that belong to a noun, sealed by the master key.

CREATE TABLE secret (
    kind   TEXT NOT NULL,           -- the noun's kind, as in document
    id     TEXT NOT NULL,           -- the noun's id
    sealed BLOB NOT NULL,           -- nonce and ciphertext
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
