-- usage.db, version 1: what was reserved (decides) and what was used (reports). It only counts.
-- Days are UTC days since 1970-01-01.

-- Protocol E: `reserved` units of the window are given away, whether used or not.
CREATE TABLE account (
    plan_id          TEXT NOT NULL,
    key_id           TEXT NOT NULL,
    window_start_day INTEGER NOT NULL,
    window_end_day   INTEGER NOT NULL,
    reserved         INTEGER NOT NULL,
    PRIMARY KEY (plan_id, key_id)
) STRICT, WITHOUT ROWID;

-- Requests admitted on a day; `remaining` is what was left of the quota when the row was last
-- written (NULL without a quota), `written_off` what a crash lost of it.
CREATE TABLE used (
    plan_id     TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    day         INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    remaining   INTEGER,
    written_off INTEGER NOT NULL,
    PRIMARY KEY (plan_id, key_id, day)
) STRICT, WITHOUT ROWID;
