"""An editor makes a desk, and cards that only the right home can use."""

from meshnews.crypto.keys import Ed25519Secret, X25519Public, X25519Secret
from meshnews.desk.bulletin import RelayEntry, RelayFlags
from meshnews.desk.certificate import verify_certificate
from meshnews.desk.limits import PREKEYS_PER_PACK
from meshnews.desk.manifest import Manifest
from meshnews.desk.manifest import Role as DeskRole
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import recall_oneself
from meshnews.desk.request import RelayRequest, sign_request, verify_request
from meshnews.ids import TrafficClass
from meshnews.node.identity import Role, load_relays
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.roster import Roster
from meshnews.node.records.wallet import Wallet
from tests.node.newsroom import (
    CHEAP,
    ROOT_PASSPHRASE,
    TODAY,
    Machine,
    asking,
    card_for,
    enrol,
    enrolled,
    make_desk,
    make_home,
    request_of,
    take,
)
from tests.node.newswork import refused

# The desk -----------------------------------------------------------------


def test_a_new_desk_has_one_editor_with_every_role_and_publishes_itself() -> None:
    editor, root = make_desk()
    home = editor.node.home
    manifest = home.book.manifest
    assert manifest is not None
    assert manifest.version == 1
    (one,) = manifest.editors
    assert one.roles == DeskRole.OPEN | DeskRole.PUBLISH | DeskRole.ENROL
    (bulletin,) = home.book.bulletins.values()
    assert bulletin.signer == one.sign
    assert len(home.custody.days(TrafficClass.NOTICE)) == 1
    assert root not in b"".join(value for _, _, value in editor.contents)


def test_a_desk_survives_a_restart() -> None:
    editor, _ = make_desk()
    known = editor.node.home.book.manifest
    editor.restart()
    assert editor.node.home.book.manifest == known
    assert len(editor.node.home.book.bulletins) == 1


def test_a_desk_on_one_machine_is_its_own_collector() -> None:
    editor, _ = make_desk(endpoint=True)
    relay = editor.node.home.identity.relay
    assert relay is not None
    assert relay.beacon_key is not None
    (listed,) = editor.node.home.book.directory.relays
    assert (listed.static, listed.flags) == (relay.static.public, RelayFlags.COLLECTOR)
    reporter = enrolled(editor, "reporter-1", Role.REPORTER)
    assert [one.static for one in load_relays(reporter.carry)] == [relay.static.public]


def create(node: Node, name: str = "Desk", passphrase: str = ROOT_PASSPHRASE) -> bytes:
    return node.office.create_desk(name, passphrase, **CHEAP)


def test_who_may_not_make_a_desk_is_told_why() -> None:
    reporter, editor = make_home("r", Role.REPORTER), make_desk()[0]
    unsure = make_home("u", Role.EDITOR, trusted=False)
    fresh = make_home("f", Role.EDITOR)
    assert refused(reporter, create) == "wrong-role"
    assert refused(editor, create) == "desk-exists"
    assert refused(unsure, create) == "clock-not-trusted"
    assert refused(fresh, lambda node: create(node, " \n")) == "bad-name"
    assert refused(fresh, lambda node: create(node, "x" * 65)) == "bad-name"
    refused(fresh, lambda node: create(node, passphrase=""))


# A reporter's card ----------------------------------------------------------


def test_a_press_card_fills_the_wallet_and_makes_the_reporter_known() -> None:
    editor, _ = make_desk()
    reporter = make_home("reporter-1", Role.REPORTER)
    taken = enrol(editor, reporter)
    assert (taken.name, taken.desk_name) == ("reporter-1", "Desk of tests")
    assert taken.expiry_day == TODAY + 400
    assert reporter.vault is not None
    assert editor.vault is not None
    (signer,) = [one.sign for one in manifest_of(reporter).editors]
    wallet = Wallet(reporter.vault, reporter.entropy)
    assert wallet.prekeys_left(signer) == PREKEYS_PER_PACK
    assert wallet.postage_left(TrafficClass.FLASH) == 16
    assert wallet.postage_left(TrafficClass.ROUTINE) == 240 + 64 * 16
    assert wallet.postage_left(TrafficClass.BULK) == 2100 * 16
    person = Person(reporter.vault)
    byline, certificate = person.sign_key(), person.certificate()
    assert byline is not None
    assert certificate is not None
    assert verify_certificate(certificate, manifest_of(reporter)).name == "reporter-1"
    known = Roster(editor.vault).member(byline.public)
    assert known is not None
    assert known.reply_scan == wallet.reply_scans(TODAY)[0].public


def manifest_of(machine: Machine) -> Manifest:
    manifest = machine.node.home.book.manifest
    assert manifest is not None
    return manifest


def test_a_name_is_given_once_capitals_or_not() -> None:
    editor, _ = make_desk()
    enrolled(editor, "Aigerim", Role.REPORTER)
    enrolled(editor, "roof", Role.RELAY)
    other, relay = make_home("other", Role.REPORTER), make_home("relay", Role.RELAY)
    for joiner in (other, relay):
        request = request_of(joiner)
        for name in ("AIGERIM", " roof ", "Roof"):
            assert refused(editor, asking(request, name)) == "name-taken"
        assert refused(editor, asking(request, "two\nlines")) == "bad-name"


def test_a_request_is_answered_again_and_the_name_may_change_but_not_to_anothers() -> None:
    editor, _ = make_desk()
    enrolled(editor, "other", Role.REPORTER)
    reporter = make_home("reporter-1", Role.REPORTER)
    request = request_of(reporter)
    card_for(editor, request, name="reporter-1")
    assert refused(editor, asking(request, "other")) == "name-taken"
    taken = take(reporter, card_for(editor, request, name="reporter-2"))
    assert taken.name == "reporter-2"
    assert editor.vault is not None
    names = [known.card.name for _, known in Roster(editor.vault).members()]
    assert sorted(names) == ["other", "reporter-2"]


def test_a_changed_request_and_one_of_another_role_are_refused() -> None:
    editor, _ = make_desk()
    request = request_of(make_home("r", Role.REPORTER))
    assert refused(editor, asking(request[:-1] + b"\0", "r")) == "request-unreadable"
    assert refused(editor, asking(b"", "r")) == "request-unreadable"
    other = request_of(make_home("e", Role.EDITOR))
    assert refused(editor, asking(other, "r")) == "request-of-other-role"
    assert (
        refused(editor, lambda node: node.office.prepare_editor(request)) == "request-of-other-role"
    )


def test_who_has_no_desk_makes_no_card() -> None:
    request = request_of(make_home("r", Role.REPORTER))
    assert refused(make_home("e", Role.EDITOR), asking(request, "r")) == "no-desk"
    assert refused(make_home("relay", Role.RELAY), asking(request, "r")) == "wrong-role"


def test_a_recalled_byline_gets_no_card_again() -> None:
    editor, _ = make_desk()
    reporter = enrolled(editor, "reporter-1", Role.REPORTER)
    assert reporter.vault is not None
    byline, desk = Person(reporter.vault).sign_key(), editor.node.home.identity.desk
    assert byline is not None
    assert desk is not None
    notice = Notice(NoticeKind.RECALL, recall_oneself(desk, byline))
    assert editor.ask(lambda node: node.home.book.take(notice))
    assert refused(editor, asking(request_of(reporter), "reporter-1")) == "recalled"


def test_no_card_is_made_with_postage_that_nobody_would_honour() -> None:
    editor, _ = make_desk()
    request = request_of(make_home("r", Role.REPORTER))
    editor.later(400 - 16)
    editor.ask(asking(request, "r"))
    editor.later(1)
    assert refused(editor, asking(request, "r")) == "issuer-lapsed"


# Relays ---------------------------------------------------------------------


def statics(machine: Machine) -> set[bytes]:
    return {one.static for one in load_relays(machine.carry)}


def static_of(machine: Machine) -> bytes:
    relay = machine.node.home.identity.relay
    assert relay is not None
    return relay.static.public


def test_a_relays_card_brings_its_beacon_key_and_the_desk_lists_it() -> None:
    editor, _ = make_desk()
    relay = enrolled(editor, "relay-1", Role.RELAY)
    own = relay.node.home.identity.relay
    assert own is not None
    assert editor.vault is not None
    (known,) = Roster(editor.vault).relays()
    assert own.beacon_key is not None
    assert own.beacon_key.raw == known.beacon_key.raw
    assert [one.static for one in editor.node.home.book.directory.relays] == [static_of(relay)]
    # Its own card's bulletin lists it already.
    assert [one.static for one in relay.node.home.book.directory.relays] == [static_of(relay)]


def test_a_reporter_is_told_of_collectors_and_of_four_relays() -> None:
    editor, _ = make_desk()
    collectors = [enrolled(editor, f"c{n}", Role.RELAY, endpoint=True) for n in range(2)]
    relays = [enrolled(editor, f"r{n}", Role.RELAY) for n in range(6)]
    always = {static_of(one) for one in collectors}
    plain = enrolled(editor, "reporter-1", Role.REPORTER)
    assert statics(plain) == always | {static_of(one) for one in relays[2:]}
    told = enrolled(editor, "reporter-2", Role.REPORTER, near=("R0", "r1", "r0", "c1"))
    assert statics(told) == always | {static_of(one) for one in relays[:2]}


def test_a_relay_is_told_of_collectors_and_only_of_relays_named() -> None:
    editor, _ = make_desk()
    collector = enrolled(editor, "c", Role.RELAY, endpoint=True)
    first = enrolled(editor, "r1", Role.RELAY)
    assert statics(first) == {static_of(collector)}
    second = enrolled(editor, "r2", Role.RELAY, near=("r1",))
    assert statics(second) == {static_of(collector), static_of(first)}


def test_names_given_with_near_must_be_known_and_few() -> None:
    editor, _ = make_desk()
    for n in range(5):
        enrolled(editor, f"r{n}", Role.RELAY)
    for joiner in (make_home("p", Role.REPORTER), make_home("q", Role.RELAY)):
        request = request_of(joiner)
        assert refused(editor, asking(request, "p", ("r0", "nobody"))) == "name-unknown"
        five = tuple(f"r{n}" for n in range(5))
        assert refused(editor, asking(request, "p", five)) == "too-many-near"


def test_a_relay_that_lost_its_card_gets_the_same_beacon_key() -> None:
    editor, _ = make_desk()
    relay = make_home("relay-1", Role.RELAY)
    request = request_of(relay)
    card_for(editor, request, name="relay-1")
    assert editor.vault is not None
    (before,) = Roster(editor.vault).relays()
    take(relay, card_for(editor, request, name="roof"))
    (after,) = Roster(editor.vault).relays()
    assert after.beacon_key.raw == before.beacon_key.raw
    assert (after.entry, after.name) == (before.entry, "roof")


def test_whoever_shows_part_of_anothers_keys_is_not_given_its_beacon_key() -> None:
    editor, _ = make_desk()
    relay = enrolled(editor, "relay-1", Role.RELAY)
    own = verify_request(request_of(relay))
    assert isinstance(own, RelayRequest)
    thief = Ed25519Secret(b"t" * 32)
    card_key, other = X25519Secret(b"c" * 32).public, X25519Secret(b"o" * 32).public
    for entry in (
        RelayEntry(own.entry.static, other, thief.public),
        RelayEntry(own.entry.static, own.entry.notice, thief.public),
        RelayEntry(other, own.entry.notice, thief.public),
    ):
        request = sign_request(RelayRequest(card_key, entry), thief)
        assert refused(editor, asking(request, "relay-2")) == "key-known"


def test_a_desk_of_one_machine_is_not_given_away_either() -> None:
    editor, _ = make_desk(endpoint=True)
    thief = Ed25519Secret(b"t" * 32)
    entry = RelayEntry(X25519Secret(b"s" * 32).public, X25519Secret(b"n" * 32).public, thief.public)
    stolen = RelayEntry(editor_static(editor), entry.notice, thief.public)
    request = sign_request(RelayRequest(X25519Secret(b"c" * 32).public, stolen), thief)
    assert refused(editor, asking(request, "relay-2")) == "key-known"
    honest = sign_request(RelayRequest(X25519Secret(b"c" * 32).public, entry), thief)
    assert refused(editor, asking(honest, "Desk")) == "name-taken"


def editor_static(editor: Machine) -> X25519Public:
    relay = editor.node.home.identity.relay
    assert relay is not None
    return relay.static.public
