"""What a reader believes of what it opened."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.bundle.envelope import capacity
from meshnews.bundle.statement import (
    FIRST_LINK,
    AttachmentTree,
    Inner,
    Kind,
    Letter,
    Priority,
    ReplyKey,
    ReplyTo,
    Role,
    chain_link,
    clean_text,
    read,
    text_capacity,
    write,
)
from meshnews.bundle.tree import attachment_value, clean_name, depth_of, leaves_of
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Secret
from meshnews.errors import Forged, LocalMisuse, Malformed, PeerError
from meshnews.ids import BundleId, TrafficClass
from meshnews.limits import ATTACHMENT_BYTES_MAX
from meshnews.wire.codec import Value, decode, encode
from tests.bundle.kit import BYLINE, DAY, DESK, Member

PC = b"p" * 32
EDITOR = Ed25519Secret(b"e" * 32).public
DISPATCH = Inner(Kind.DISPATCH, "площадь", Priority.ROUTINE, text="Слышны выстрелы.\n18:40")


def tree(size: int = 5_000_000, role: Role = Role.FILE) -> AttachmentTree:
    leaves = leaves_of(size)
    return AttachmentTree(
        BundleId(b"r" * 32),
        b"h" * 32,
        depth_of(leaves),
        leaves,
        size,
        b"K" * 32,
        b"s" * 32,
        role,
        14,
        DAY,
    )


ANSWERED = Member(b"reply").reader
KEY = ANSWERED.prekey
OTHERS = [Member(bytes([number])).prekey.prekey for number in range(5)]
REPLY = ReplyTo(ANSWERED.scan, tuple(ReplyKey.of(EDITOR, key) for key in (KEY, *OTHERS[:3])))


def reply_key(**changes: bytes) -> list[Value]:
    """Return the fields of a reply key, some of them changed."""
    fields = {"editor": EDITOR[:8], "ref": KEY.ref, "public": KEY.public, "psk": KEY.psk}
    return list((fields | changes).values())


def written(
    inner: Inner = DISPATCH,
    *,
    seq: int = 1,
    prev: bytes = FIRST_LINK,
    claimed_time: int = 1641404400,
    fresh: tuple[bytes, ...] = (),
    attachments: tuple[AttachmentTree, ...] = (),
    reply: ReplyTo | None = None,
) -> bytes:
    return write(
        inner,
        signer=BYLINE,
        pc=PC,
        desk=DESK,
        seq=seq,
        prev=prev,
        claimed_time=claimed_time,
        fresh=fresh,
        attachments=attachments,
        reply=reply,
    )


def test_a_reader_gets_what_the_author_signed() -> None:
    payload = written(
        seq=7,
        prev=b"v" * 16,
        fresh=(b"1" * 32, b"2" * 32),
        attachments=(replace(tree(), name="видео.mp4"), tree(0, Role.PREVIEW)),
        reply=REPLY,
    )
    letter = read(payload, PC)
    assert letter.inner == DISPATCH
    assert letter.author == BYLINE.public
    statement = letter.statement
    assert (statement.author, statement.desk, statement.seq) == (BYLINE.public, DESK, 7)
    assert (statement.prev, statement.claimed_time) == (b"v" * 16, 1641404400)
    assert statement.fresh == (b"1" * 32, b"2" * 32)
    assert statement.attachments == (
        replace(tree(), name="видео.mp4"),
        tree(0, Role.PREVIEW),
    )
    assert statement.reply == REPLY


def test_the_layout_is_the_one_that_the_protocol_gives() -> None:
    outer = decode(written(attachments=(tree(),), reply=REPLY), bytes_max=4000)
    statement, signature, inner = outer  # type: ignore[misc]  # three of them
    assert isinstance(statement, bytes)
    assert isinstance(inner, bytes)
    assert decode(inner, bytes_max=4000) == ["dispatch", "площадь", 3, b"", DISPATCH.text]
    assert decode(statement, bytes_max=4000) == [
        "st1",
        BYLINE.public,
        DESK,
        1,
        bytes(16),
        1641404400,
        [],
        b2(Label.INNER, inner),
        [[b"r" * 32, b"h" * 32, 1, 77, 5000000, b"K" * 32, b"s" * 32, "file", 14, 2600, ""]],
        [
            ANSWERED.scan,
            [[EDITOR[:8], key.ref, key.public, key.psk] for key in (KEY, *OTHERS[:3])],
        ],
    ]
    digest = b2(Label.STATEMENT, statement)
    assert signature == BYLINE.sign(Label.STATEMENT_1, PC + digest)


def test_statements_of_one_author_form_a_chain() -> None:
    first = written(seq=1)
    second = written(seq=2, prev=chain_link(first))
    assert read(second, PC).statement.prev == read(first, PC).link == chain_link(first)
    assert chain_link(first) != chain_link(second)


def test_a_statement_is_bound_to_its_envelope() -> None:
    with pytest.raises(Forged):
        read(written(), b"q" * 32)


def test_words_that_were_not_signed_are_forged() -> None:
    statement, signature, _ = decode(written(), bytes_max=4000)  # type: ignore[misc]  # three
    other = encode(["dispatch", "площадь", 3, b"", "Тихо."])
    with pytest.raises(Forged):
        read(encode([statement, signature, other]), PC)


def test_a_signature_by_another_key_is_forged() -> None:
    statement, _, inner = decode(written(), bytes_max=4000)  # type: ignore[misc]  # three
    assert isinstance(statement, bytes)
    message = PC + b2(Label.STATEMENT, statement)
    signature = Ed25519Secret(b"o" * 32).sign(Label.STATEMENT_1, message)
    with pytest.raises(Forged):
        read(encode([statement, signature, inner]), PC)


@given(st.data())
def test_any_flipped_bit_of_a_payload_is_refused(data: st.DataObject) -> None:
    payload = bytearray(written(attachments=(tree(),), reply=REPLY))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PeerError):
        read(bytes(payload), PC)


def resigned(at: int, value: Value) -> bytes:
    """Return a payload whose author signed a statement with one field exchanged."""
    statement, _, inner = decode(  # type: ignore[misc]  # three of them
        written(attachments=(tree(),), reply=REPLY), bytes_max=4000
    )
    assert isinstance(statement, bytes)
    fields = decode(statement, bytes_max=4000)
    assert isinstance(fields, list)
    fields[at] = value
    changed = encode(fields)
    signature = BYLINE.sign(Label.STATEMENT_1, PC + b2(Label.STATEMENT, changed))
    return encode([changed, signature, inner])


def attachment(**change: object) -> Value:
    named = attachment_value(replace(tree(), **change))  # type: ignore[arg-type]  # a table
    return [named]


NAMED_FAILURES: list[tuple[str, int, Value]] = [
    ("another version", 0, "st2"),
    ("a version that is no text", 0, b"st1"),
    ("a short author", 1, bytes(31)),
    ("a long desk", 2, bytes(17)),
    ("a negative seq", 3, -1),
    ("a seq too large", 3, 2**32),
    ("a short prev", 4, bytes(15)),
    ("a time before 1970", 5, -1),
    ("a time beyond reason", 5, 2**40 + 1),
    ("five sightings", 6, [bytes(32)] * 5),
    ("a short sighting", 6, [bytes(31)]),
    ("sightings that are no list", 6, bytes(32)),
    ("a short inner hash", 7, bytes(31)),
    ("seventeen attachments", 8, [attachment()] * 17),
    ("an attachment of few fields", 8, [[bytes(32)]]),
    ("an attachment with a short root", 8, attachment(root=bytes(31))),
    ("an attachment with a short key", 8, attachment(key=bytes(31))),
    ("an attachment of no known role", 8, attachment(role="poster")),
    ("a tree too deep for its size", 8, attachment(depth=2)),
    ("a tree with too many leaves", 8, attachment(n=78)),
    ("a tree with no leaves", 8, attachment(n=0, size=0)),
    ("a file too large", 8, attachment(size=ATTACHMENT_BYTES_MAX + 1)),
    ("an odd day", 8, attachment(day=2601)),
    ("a life that no bundle has", 8, attachment(life=4)),
    ("a name with a folder", 8, attachment(name="a/b")),
    ("a name with another system's folder", 8, attachment(name="a\\b")),
    ("a name that hides", 8, attachment(name=".profile")),
    ("a name that leads up", 8, attachment(name="..")),
    ("a name that turns round", 8, attachment(name="a\u202egpj.exe")),
    ("a name with a space behind", 8, attachment(name="a.jpg ")),
    ("a name too long", 8, attachment(name="ш" * 33)),
    ("five reply keys", 9, [ANSWERED.scan, [reply_key(ref=key.ref) for key in OTHERS]]),
    ("a reply key for two", 9, [ANSWERED.scan, [reply_key(), reply_key(editor=bytes(8))]]),
    ("reply keys with no scan key", 9, [[reply_key()]]),
    ("a scan key with no list", 9, [ANSWERED.scan]),
    ("a reply key without psk", 9, [ANSWERED.scan, [reply_key(psk=b"")]]),
    ("a reply key with a long reference", 9, [ANSWERED.scan, [reply_key(ref=bytes(9))]]),
    ("a reply key for a short editor", 9, [ANSWERED.scan, [reply_key(editor=bytes(7))]]),
    ("a reply key for nobody", 9, [ANSWERED.scan, [reply_key()[1:]]]),
]


@pytest.mark.parametrize(
    ("at", "value"), [row[1:] for row in NAMED_FAILURES], ids=[row[0] for row in NAMED_FAILURES]
)
def test_a_signed_statement_outside_the_limits_is_malformed(at: int, value: Value) -> None:
    with pytest.raises(Malformed):
        read(resigned(at, value), PC)


def test_a_reply_key_to_which_nobody_can_seal_is_refused_when_it_comes() -> None:
    # Its author can sign it: who is to answer would find out only when it does.
    for scan, key in ((bytes(32), reply_key()), (ANSWERED.scan, reply_key(public=bytes(32)))):
        with pytest.raises(Forged, match="low order"):
            read(resigned(9, [scan, [key]]), PC)


def test_a_reply_key_is_for_one_editor() -> None:
    reply = read(written(reply=REPLY), PC).statement.reply
    assert reply is not None
    assert all(key.is_for(EDITOR) for key in reply.keys)
    assert not any(key.is_for(Ed25519Secret(b"o" * 32).public) for key in reply.keys)


def test_an_author_may_be_answered_by_a_scan_key_alone_or_not_at_all() -> None:
    for reply in (None, ReplyTo(ANSWERED.scan)):
        assert read(written(reply=reply), PC).statement.reply == reply


def test_the_table_of_failures_changes_what_would_else_be_read() -> None:
    assert read(resigned(3, 8), PC).statement.seq == 8


def said(fields: Value) -> bytes:
    """Return a payload whose author signed this inner."""
    statement, _, _ = decode(written(), bytes_max=4000)  # type: ignore[misc]  # three of them
    assert isinstance(statement, bytes)
    values = decode(statement, bytes_max=4000)
    assert isinstance(values, list)
    inner = encode(fields)
    values[7] = b2(Label.INNER, inner)
    changed = encode(values)
    signature = BYLINE.sign(Label.STATEMENT_1, PC + b2(Label.STATEMENT, changed))
    return encode([changed, signature, inner])


@pytest.mark.parametrize(
    "fields",
    [
        ["rumour", "slug", 3, b"", ""],
        ["dispatch", "", 3, b"", ""],
        ["dispatch", "two words", 3, b"", ""],
        ["dispatch", "nar\u202frow", 3, b"", ""],
        ["dispatch", "turn\u202eed", 3, b"", ""],
        ["dispatch", "s" * 65, 3, b"", ""],
        ["dispatch", "slug", 0, b"", ""],
        ["dispatch", "slug", 5, b"", ""],
        ["dispatch", "slug", 3, bytes(15), ""],
        ["dispatch", "slug", 3, bytes(32), ""],
        ["dispatch", "slug", 3, b"", b"bytes"],
        ["dispatch", "slug", 3, b"", "bell\a"],
        ["card", "", 3, b"", "text"],
        ["refresh", "", 3, b"", "text"],
        ["dispatch", "slug", 3, b""],
        [],
    ],
    ids=str,
)
def test_a_signed_inner_outside_the_limits_is_malformed(fields: Value) -> None:
    with pytest.raises(Malformed):
        read(said(fields), PC)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_item_comes_back(kind: Kind) -> None:
    cargo = kind in (Kind.CARD, Kind.REFRESH)
    inner = Inner(
        kind,
        "slug" if kind is Kind.DISPATCH else "",
        Priority.URGENT,
        reference=b"r" * 16,
        text="" if cargo else "words",
        cargo=b"\x00\xff" if cargo else b"",
    )
    assert read(written(inner), PC).inner == inner


@pytest.mark.parametrize(
    "inner",
    [
        replace(DISPATCH, slug="two words"),
        replace(DISPATCH, slug=""),
        replace(DISPATCH, slug="e\u0301"),
        replace(DISPATCH, text="bell\a"),
        replace(DISPATCH, text="\ud800"),
        replace(DISPATCH, reference=b"short"),
    ],
    ids=ascii,
)
def test_what_no_reader_would_take_is_not_written(inner: Inner) -> None:
    with pytest.raises(LocalMisuse):
        written(inner)


def test_a_statement_that_no_reader_would_take_is_not_written() -> None:
    for change in (
        {"seq": -1},
        {"prev": b""},
        {"fresh": (bytes(32),) * 5},
        {"attachments": (replace(tree(), n=1),)},
        {"reply": ReplyTo(ANSWERED.scan, REPLY.keys[:1] * 2)},
    ):
        with pytest.raises(LocalMisuse):
            written(**change)


def test_the_wire_merges_flash_and_urgent() -> None:
    assert [priority.traffic for priority in Priority] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        ("e\u0301", "\u00e9"),
        ("bell\a\x00", "bell"),
        ("half \ud83d", "half \ufffd"),
        ("e\a\u0301", "\u00e9"),
        ("tab\tstays", "tab\tstays"),
    ],
    ids=ascii,
)
def test_a_persons_text_is_made_safe(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


def test_a_line_has_single_spaces_and_nothing_that_turns_it_round() -> None:
    assert clean_text("  two \n words\u202e ", multiline=False) == "two words"


@given(st.text(st.characters(codec=None)))
def test_a_cleaned_text_can_always_be_written_and_comes_back(raw: str) -> None:
    text = clean_text(raw)
    assert clean_text(text) == text
    assert read(written(replace(DISPATCH, text=text)), PC).inner.text == text


@pytest.mark.parametrize("traffic", [TrafficClass.FLASH, TrafficClass.ROUTINE])
@pytest.mark.parametrize("attachments", [0, 1, 16])
def test_a_text_of_the_promised_capacity_fits(traffic: TrafficClass, attachments: int) -> None:
    room = text_capacity(
        DISPATCH.slug, traffic=traffic, day=DAY, attachments=attachments, reply_keys=4
    )
    largest = tree(ATTACHMENT_BYTES_MAX, Role.ORIGINAL)
    payload = written(
        replace(DISPATCH, priority=Priority.BULK, reference=b"r" * 16, text="x" * room),
        seq=2**32 - 1,
        claimed_time=2**40,
        attachments=(replace(largest, name="n" * 64),) * attachments,
        reply=REPLY,
    )
    size = 8192 if traffic is TrafficClass.FLASH else 66560
    assert capacity(size, day=DAY) - 16 <= len(payload) <= capacity(size, day=DAY)


def test_a_short_dispatch_with_reply_keys_fits_the_smallest_bundle() -> None:
    payload = written(replace(DISPATCH, text="ш" * 415), reply=REPLY)
    assert len(payload) <= capacity(2048, day=DAY)


values = st.recursive(
    st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.sampled_from(["st1", "card"]),
    lambda inner: st.lists(inner, max_size=10),
    max_leaves=30,
)


@given(st.binary(max_size=200) | values.map(encode))
def test_a_garbage_payload_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        read(payload, PC)


@given(values)
def test_garbage_that_its_author_signed_is_malformed(value: Value) -> None:
    statement, inner = encode(value), encode(value)
    signature = BYLINE.sign(Label.STATEMENT_1, PC + b2(Label.STATEMENT, statement))
    with pytest.raises(Malformed):
        read(encode([statement, signature, inner]), PC)
    with pytest.raises(Malformed):
        read(said(value), PC)
    with pytest.raises(PeerError):
        read(resigned(8, value if value != [] else 0), PC)


@given(st.binary(max_size=100))
def test_the_link_of_garbage_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        chain_link(payload)


def test_keys_and_words_do_not_show_themselves() -> None:
    letter = read(written(attachments=(tree(),), reply=REPLY), PC)
    assert isinstance(letter, Letter)
    assert "выстрелы" not in repr(letter)
    assert "KKKK" not in repr(letter)
    assert repr(KEY.psk) not in repr(letter)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("видео.mp4", "видео.mp4"),
        ("/home/somebody/IMG_0001.JPG", "IMG_0001.JPG"),
        ("C:\\Users\\x.doc", "C__Users_x.doc"),
        ("../../.profile", "profile"),
        ("..", ""),
        (" .  . ", ""),
        ("a\u202egpj.exe\n", "agpj.exe"),
        ("half \ud83d.txt", "half.txt"),
        ("ш" * 100 + ".jpeg", "ш" * 29 + ".jpeg"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("no extension", "no extension"),
        ("a." + "x" * 100, "a." + "x" * 62),
    ],
    ids=ascii,
)
def test_a_files_name_is_made_safe(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean


@given(st.text(st.characters(codec=None) | st.sampled_from("./\\: ")))
def test_a_cleaned_name_can_always_be_written_and_comes_back(raw: str) -> None:
    name = clean_name(raw)
    assert clean_name(name) == name
    named = replace(tree(), name=name)
    assert read(written(attachments=(named,)), PC).statement.attachments == (named,)


def test_a_tree_travels_in_the_class_of_its_role_and_size() -> None:
    assert tree(1 << 20, Role.FILE).traffic is TrafficClass.ROUTINE
    assert tree((1 << 20) + 1, Role.FILE).traffic is TrafficClass.BULK
    assert tree((1 << 20) + 1, Role.ORIGINAL).traffic is TrafficClass.BULK
    assert tree(9 << 20, Role.PREVIEW).traffic is TrafficClass.ROUTINE
