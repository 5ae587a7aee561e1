# ruff: noqa: S608  constants put together from constants; values are always bound
"""What is asked of the database of bundles.  Constant, so that each is prepared once."""

FIELDS = (
    "traffic, day, id, state, size, auth, postage_key, expiry_day,"
    " dies_at, acked_at, release_at, copies, pinned, had_body, arrival_day"
)
SEQ_OF = "(SELECT seq FROM element WHERE traffic = ? AND day = ? AND id = ?)"
MAX_SEQ = "SELECT coalesce(max(seq), 0) FROM bundle"
USAGE = "SELECT notice, flash, routine, bulk, stamped, stamps, entries FROM usage"
SET_USAGE = (
    "UPDATE usage SET notice = ?, flash = ?, routine = ?, bulk = ?,"
    " stamped = ?, stamps = ?, entries = ?"
)
STATE = "SELECT state FROM element WHERE traffic = ? AND day = ? AND id = ?"
ENTRY = f"SELECT {FIELDS} FROM bundle WHERE seq = {SEQ_OF}"
BEFORE = f"SELECT seq, state, size, auth FROM bundle WHERE seq = {SEQ_OF}"
BODY = f"SELECT wire FROM body WHERE seq = {SEQ_OF}"
RECEIPT = f"SELECT receipt FROM receipt WHERE seq = {SEQ_OF}"
DAY_AFTER = (
    "SELECT day FROM element WHERE traffic = ? AND day > ? AND state < 4 ORDER BY day LIMIT 1"
)
ELEMENTS = (
    "SELECT id, state FROM element WHERE traffic = ? AND day = ? AND id >= ? AND id < ?"
    " AND state < 4 ORDER BY id"
)
UNDER_POSTAGE = "SELECT traffic, day, id FROM bundle WHERE postage = ? AND postage_key = ?"
RELEASED = (
    f"SELECT {FIELDS} FROM bundle WHERE state = 4 AND release_at <= ? ORDER BY release_at, seq"
)
NEXT_RELEASE = "SELECT min(release_at) FROM bundle WHERE state = 4"
DYING = (
    f"SELECT {FIELDS} FROM bundle WHERE state < 2 AND dies_at <= ? ORDER BY dies_at, seq LIMIT ?"
)
ACKED_BEFORE = (
    f"SELECT {FIELDS} FROM bundle WHERE state = 3 AND pinned = 0 AND acked_at < ?"
    " ORDER BY acked_at, seq LIMIT ?"
)
EXPIRED = (
    f"SELECT {FIELDS} FROM bundle WHERE state <> 1 AND state <> 2 AND pinned = 0"
    " AND expiry_day < ? ORDER BY expiry_day, seq LIMIT ?"
)
BYGONE = (
    "SELECT traffic, day, id FROM element WHERE traffic = ? AND day < ? AND state IN (1, 2)"
    " ORDER BY day, id LIMIT ?"
)
GOING = (
    f"SELECT {FIELDS} FROM bundle WHERE going IS NOT NULL ORDER BY going, copies DESC, seq LIMIT ?"
)
LACKING = (
    "SELECT traffic, day, id FROM bundle WHERE state = 1 AND traffic = ?"
    " ORDER BY day DESC, seq LIMIT ?"
)
UNSEEN = (
    "SELECT traffic, day, id FROM bundle WHERE state = 2 AND had_body = 0 AND traffic = ?"
    " ORDER BY day DESC, seq LIMIT ?"
)
ADD_ELEMENT = "INSERT OR IGNORE INTO element VALUES (?, ?, ?, ?, ?)"
ADD_BUNDLE = "INSERT INTO bundle VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SET_BODY = "INSERT OR REPLACE INTO body VALUES (?, ?)"
SET_RECEIPT = "INSERT OR REPLACE INTO receipt VALUES (?, ?)"
SET_STATE = "UPDATE element SET state = ? WHERE traffic = ? AND day = ? AND id = ?"
SET_BUNDLE = (
    "UPDATE bundle SET state = ?, size = ?, auth = ?, postage_key = ?, expiry_day = ?,"
    " dies_at = ?, acked_at = ?, release_at = ?, copies = ?, pinned = ?, had_body = ?,"
    " arrival_day = ?,"
    " postage = ?, going = ? WHERE seq = ?"
)
COUNT_COPY = f"UPDATE bundle SET copies = copies + 1 WHERE seq = {SEQ_OF}"
DROP_BODY = "DELETE FROM body WHERE seq = ?"
DROP_RECEIPT = "DELETE FROM receipt WHERE seq = ?"
DROP_BUNDLE = "DELETE FROM bundle WHERE seq = ?"
DROP_ELEMENT = "DELETE FROM element WHERE traffic = ? AND day = ? AND id = ?"
