"""What an editor publishes stays fresh, and nothing is published for nothing."""

from collections.abc import Iterator

from meshnews.bundle.format import parse
from meshnews.crypto.keys import X25519Secret
from meshnews.desk.bulletin import Bulletin, epoch_ref
from meshnews.desk.manifest import Manifest
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.request import verify_request
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.link.rendezvous import mesh_key_on
from meshnews.node import shelf
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import BurntPrekey, DeskKeys
from tests.node.newsroom import (
    TODAY,
    Machine,
    add_editor,
    enrolled,
    make_desk,
    make_home,
    request_of,
)


def bulletin_of(editor: Machine) -> Bulletin:
    (bulletin,) = editor.node.home.book.bulletins.values()
    return bulletin


def manifest_of(editor: Machine) -> Manifest:
    manifest = editor.node.home.book.manifest
    assert manifest is not None
    return manifest


def notices(machine: Machine) -> Iterator[BundleRef]:
    custody = machine.node.home.custody
    for day in custody.days(TrafficClass.NOTICE):
        for identifier, _ in custody.elements(TrafficClass.NOTICE, day):
            yield BundleRef(TrafficClass.NOTICE, day, BundleId(identifier))


def test_a_day_in_which_nothing_is_due_publishes_nothing() -> None:
    editor, _ = make_desk()
    before = set(notices(editor))
    assert len(before) == 2
    for _ in range(24):
        editor.later(1 / 24)
    assert set(notices(editor)) == before
    assert bulletin_of(editor).version == 1


def test_a_restart_publishes_nothing() -> None:
    editor, _ = make_desk()
    before = set(notices(editor))
    editor.restart()
    assert set(notices(editor)) == before


def test_after_a_week_both_are_published_afresh_and_the_old_ones_are_gone() -> None:
    editor, _ = make_desk()
    before = set(notices(editor))
    for _ in range(8):
        editor.later(1)
    after = set(notices(editor))
    assert len(after) == 2
    assert not after & before
    assert bulletin_of(editor).version == 2
    assert manifest_of(editor).version == 1


def test_epoch_keys_reach_thirty_days_and_a_year_ahead() -> None:
    editor, _ = make_desk()
    editor.later(10)
    today, epochs = Day(TODAY + 10), bulletin_of(editor).epochs
    daily = [one for one in epochs if one.days == 1]
    weekly = [one for one in epochs if one.days == 7]
    assert [one.first_day for one in daily] == list(range(today, today + 30))
    assert len(weekly) == 52
    assert weekly[0].first_day <= today < weekly[0].end_day
    assert weekly[-1].end_day > today + 350


def test_an_epoch_key_that_was_published_opens_until_two_weeks_after_its_day() -> None:
    editor, _ = make_desk()
    epoch = bulletin_of(editor).epochs[0]
    daily = next(one for one in bulletin_of(editor).epochs if one.days == 1)
    ref = epoch_ref(daily.public)
    assert editor.vault is not None
    keys = DeskKeys(editor.vault, editor.entropy)
    for _ in range(15):
        editor.later(1)
    secret = keys.epoch_secret(ref)
    assert secret is not None
    assert secret.secret.public == daily.public
    editor.later(1)
    editor.later(7)
    assert keys.epoch_secret(ref) is None
    assert keys.epoch_secret(epoch_ref(epoch.public)) is None or epoch.days == 7


def test_a_scan_key_is_handed_out_for_ninety_days_and_listened_under_for_four_hundred() -> None:
    editor, _ = make_desk()
    first = bulletin_of(editor).scan
    editor.later(89)
    assert bulletin_of(editor).scan == first
    editor.later(1)
    second = bulletin_of(editor).scan
    assert second != first
    assert editor.vault is not None
    keys = DeskKeys(editor.vault, editor.entropy)
    assert [one.public for one in keys.scans()] == [second, first]
    for _ in range(4):
        editor.later(90)
    assert first not in [one.public for one in keys.scans()]


def test_an_issuer_at_its_end_does_not_publish_without_end() -> None:
    editor, _ = make_desk()
    editor.later(400)
    seen, version = set(notices(editor)), bulletin_of(editor).version
    for _ in range(24):
        editor.later(1 / 24)
        seen |= set(notices(editor))
    assert len(seen) == 2
    assert bulletin_of(editor).version == version
    for ref in notices(editor):
        wire = editor.node.home.custody.body(ref)
        assert wire is not None
        # Nobody honours postage that outlives its issuer.
        assert parse(wire).expiry_day <= TODAY + 400


def test_a_new_relay_is_in_the_bulletin_at_once_and_a_notice_that_was_lost_is_made_again() -> None:
    editor, _ = make_desk()
    relay = enrolled(editor, "relay-1", Role.RELAY)
    own = relay.node.home.identity.relay
    assert own is not None
    assert [one.static for one in bulletin_of(editor).relays] == [own.static.public]
    version = bulletin_of(editor).version
    lost = list(notices(editor))

    def lose(node: Node) -> None:
        for ref in lost:
            node.home.custody.forget(ref)

    editor.ask(lose)
    editor.later(1)
    assert len(list(notices(editor))) == 2
    assert bulletin_of(editor).version == version


def test_mesh_keys_of_days_long_over_are_forgotten_and_later_ones_stay_the_same() -> None:
    editor, _ = make_desk()
    reporter = enrolled(editor, "reporter-1", Role.REPORTER)
    assert editor.vault is not None
    first = Person(editor.vault).mesh_key()
    assert first is not None
    key, day = first
    assert day == TODAY
    for machine in (editor, reporter):
        machine.later(40)
        assert machine.vault is not None
        stored = Person(machine.vault).mesh_key()
        assert stored is not None
        floor = machine.node.home.moment.floor_day
        assert stored[1] == floor - 1
        assert stored[0].raw == mesh_key_on(key, day_from=day, day_to=stored[1]).raw
    late = enrolled(editor, "reporter-2", Role.REPORTER)
    assert late.vault is not None
    given = Person(late.vault).mesh_key()
    assert given is not None
    # Whoever joins later cannot follow members on days before.
    assert given[1] > day


OPENED = b"p" * 32
"""The purge commitment of some bundle."""


def test_a_used_prekey_opens_for_three_days_more_and_then_only_its_name_is_left() -> None:
    editor, _ = make_desk()
    enrolled(editor, "reporter-1", Role.REPORTER)
    assert editor.vault is not None
    keys = DeskKeys(editor.vault, editor.entropy)
    ref, _ = next(iter(editor.vault.scan(shelf.PREKEY)))
    given = keys.prekey(ref)  # type: ignore[arg-type]  # a key of this shelf
    assert given is not None
    assert isinstance(given.secret.secret, X25519Secret)
    count = editor.vault.count(shelf.PREKEY)
    editor.ask(lambda node: keys.use(given, OPENED, node.home.moment.lived_s))
    editor.later(2.9)
    assert keys.prekey(given.secret.ref) is not None
    editor.ask(lambda node: keys.use(given, OPENED, node.home.moment.lived_s))
    editor.later(0.2)
    assert keys.prekey(given.secret.ref) is None or editor.vault.count(shelf.USED)
    editor.later(4)
    assert keys.prekey(given.secret.ref) is None
    assert keys.burnt(given.secret.ref) == BurntPrekey(given.byline, OPENED)
    assert editor.vault.count(shelf.PREKEY) == count - 1
    assert editor.vault.count(shelf.USED) == 0


def test_an_editor_who_hears_itself_introduced_first_publishes_all_the_same() -> None:
    editor, root = make_desk()
    second = make_home("editor-2", Role.EDITOR)
    request = request_of(second)
    add_editor(editor, root, second)
    introduced = Notice(NoticeKind.EDITOR, request)
    assert second.ask(lambda node: node.home.book.take(introduced))
    second.later(0.1)
    asked = verify_request(request)
    assert second.node.home.book.bulletins[asked.signer].version == 1
