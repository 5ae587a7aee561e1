"""The messages that come nearest to the size of a frame."""

from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import (
    BLOCK_BYTES_LAN,
    CELLS_BYTES_MAX,
    DAYS_SPANNED_MAX,
    GRID_BITS_MAX,
    GROUPS_PER_MESSAGE_MAX,
    KEYS_TOLD_MAX,
    LIST_IDS_MAX,
    NAMES_PER_MESSAGE_MAX,
    PARTS_ASKED_MAX,
    PARTS_KEYS_MAX,
    RECEIPTS_PER_MESSAGE_MAX,
    SHORT_RECEIPTS_PER_MESSAGE_MAX,
    SPLIT_BITS_MAX,
    SPLIT_FAN_MAX,
    SPLIT_PREFIXES_MAX,
    WANTS_PER_MESSAGE_MAX,
)
from meshnews.store.port import State
from meshnews.sync.messages import (
    Acked,
    Data,
    Group,
    Have,
    How,
    Message,
    Name,
    Stored,
    Want,
    WantGroup,
)
from meshnews.sync.question import (
    Cells,
    Days,
    Grid,
    List,
    Mode,
    More,
    Parts,
    Split,
    Tell,
    Told,
)

BULK = TrafficClass.BULK
DAYS = [Day(65518 - 2 * at) for at in range(DAYS_SPANNED_MAX)]


def _shorts(count: int, start: int = 0) -> tuple[bytes, ...]:
    return tuple([(start + at).to_bytes(8, "big") for at in range(count)])


_PER_GROUP = WANTS_PER_MESSAGE_MAX // GROUPS_PER_MESSAGE_MAX
_GROUPS = tuple([Group(BULK, day, _shorts(_PER_GROUP)) for day in DAYS[:GROUPS_PER_MESSAGE_MAX]])
_NAMES = NAMES_PER_MESSAGE_MAX // GROUPS_PER_MESSAGE_MAX

LARGEST: list[Message] = [
    Days(BULK, 1023, tuple(DAYS), bytes(4 * len(DAYS)), (1_000_000,) * len(DAYS)),
    Grid(BULK, DAYS[0], GRID_BITS_MAX, 1_000_000, bytes(4 << GRID_BITS_MAX)),
    Split(
        *(BULK, DAYS[0], SPLIT_BITS_MAX - SPLIT_FAN_MAX, SPLIT_FAN_MAX),
        tuple(range(SPLIT_PREFIXES_MAX)),
        bytes(4 * SPLIT_PREFIXES_MAX << SPLIT_FAN_MAX),
    ),
    Cells(BULK, DAYS[0], bytes(32), 1_000_000, 12, 0, 16, bytes(CELLS_BYTES_MAX // 176 * 176)),
    More(BULK, DAYS[0], 100, 101, tuple(range(3000, 3000 + PARTS_ASKED_MAX))),
    Parts(
        *(BULK, DAYS[0], (Mode.LISTED,) * (SPLIT_PREFIXES_MAX << SPLIT_FAN_MAX)),
        bytes((1,)) * (SPLIT_PREFIXES_MAX << SPLIT_FAN_MAX),
        _shorts(PARTS_KEYS_MAX),
    ),
    Tell(BULK, DAYS[0], _shorts(KEYS_TOLD_MAX - 2), _shorts(1), _shorts(1)),
    Told(BULK, DAYS[0], (State.ACKED,) * KEYS_TOLD_MAX),
    List(BULK, DAYS[0], 0, 0, _shorts(LIST_IDS_MAX), (State.ACKED,) * LIST_IDS_MAX),
    Have(
        tuple(
            [
                Name(BundleRef(BULK, day, BundleId(at.to_bytes(32, "big"))), 66560, acked=False)
                for day in DAYS[:GROUPS_PER_MESSAGE_MAX]
                for at in range(_NAMES)
            ]
        )
    ),
    Stored(_GROUPS, _GROUPS),
    Want(
        tuple(
            [
                WantGroup(BULK, day, _shorts(_PER_GROUP), How.DATA, (66000,) * _PER_GROUP)
                for day in DAYS[:GROUPS_PER_MESSAGE_MAX]
            ]
        )
    ),
    Acked(
        confirm=False,
        full=(bytes(272),) * RECEIPTS_PER_MESSAGE_MAX,
        short=tuple([(BULK, DAYS[at], bytes(64)) for at in range(SHORT_RECEIPTS_PER_MESSAGE_MAX)]),
    ),
    Data(BULK, DAYS[0], bytes(8), 1 << 31, 66000, bytes(BLOCK_BYTES_LAN)),
]
