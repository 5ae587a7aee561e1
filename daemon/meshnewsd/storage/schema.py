"""The tables of both databases, and how an older file becomes a newer one.

A schema is a list of steps.  A file at version n has been through the first n;
opening it runs the others in one transaction.  A step is never edited once it
was released: a change is a further step.
"""

from dataclasses import dataclass
from typing import Final

_SHELVES: Final = """
CREATE TABLE shelf (
    name  TEXT NOT NULL,
    key   BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
"""

_CARRY: Final = (
    _SHELVES
    + """
CREATE TABLE element (
    traffic INTEGER NOT NULL,
    day     INTEGER NOT NULL,
    id      BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    state   INTEGER NOT NULL,
    PRIMARY KEY (traffic, day, id)
) WITHOUT ROWID;

CREATE TABLE bundle (
    seq         INTEGER PRIMARY KEY,
    traffic     INTEGER NOT NULL,
    day         INTEGER NOT NULL,
    id          BLOB NOT NULL,
    state       INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    auth        INTEGER NOT NULL,
    postage_key BLOB NOT NULL,
    expiry_day  INTEGER NOT NULL,
    dies_at     REAL NOT NULL,
    acked_at    REAL NOT NULL,
    release_at  REAL NOT NULL,
    copies      INTEGER NOT NULL,
    pinned      INTEGER NOT NULL,
    had_body    INTEGER NOT NULL,
    arrival_day INTEGER NOT NULL,
    postage     INTEGER,
    going       INTEGER
);
CREATE INDEX bundle_postage ON bundle (postage) WHERE postage IS NOT NULL;
CREATE INDEX bundle_release ON bundle (release_at) WHERE state = 4;
CREATE INDEX bundle_dying ON bundle (dies_at) WHERE state < 2;
CREATE INDEX bundle_acked ON bundle (acked_at) WHERE state = 3 AND pinned = 0;
CREATE INDEX bundle_expiry ON bundle (expiry_day)
    WHERE state <> 1 AND state <> 2 AND pinned = 0;
CREATE INDEX bundle_going ON bundle (going, copies DESC) WHERE going IS NOT NULL;
CREATE INDEX bundle_lacking ON bundle (traffic, day DESC) WHERE state = 1;
CREATE INDEX bundle_unseen ON bundle (traffic, day DESC) WHERE state = 2 AND had_body = 0;

CREATE TABLE body (seq INTEGER PRIMARY KEY, wire BLOB NOT NULL);
CREATE TABLE receipt (seq INTEGER PRIMARY KEY, receipt BLOB NOT NULL);

CREATE TABLE usage (
    notice INTEGER NOT NULL, flash INTEGER NOT NULL, routine INTEGER NOT NULL,
    bulk INTEGER NOT NULL, stamped INTEGER NOT NULL, stamps INTEGER NOT NULL,
    entries INTEGER NOT NULL
);
INSERT INTO usage VALUES (0, 0, 0, 0, 0, 0, 0);
"""
)


@dataclass(frozen=True, slots=True)
class Schema:
    """The steps that make a database what this version of the program expects."""

    steps: tuple[str, ...]

    @property
    def version(self) -> int:
        """The version of a file that has been through all steps."""
        return len(self.steps)


CARRY_SCHEMA: Final = Schema((_CARRY,))
VAULT_SCHEMA: Final = Schema((_SHELVES,))
