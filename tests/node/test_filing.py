"""Filing seals for the desk, lets all of a dispatch go at one time, and refuses in plain words."""

from dataclasses import replace

import pytest

from meshnews.bundle.postage import issue
from meshnews.bundle.statement import Priority, Role, text_capacity
from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.manifest import Role as DeskRole
from meshnews.errors import LocalMisuse, Refusal
from meshnews.ids import Day, TrafficClass
from meshnews.limits import ATTACHMENTS_MAX, CHUNK_BYTES, POSTAGE_IDS_MAX, SLUG_CHARS_MAX
from meshnews.node import shelf
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.filing import REPLY_KEYS, FilingDraft
from meshnews.node.dispatches.filing_room import LEFT_FREE_BYTES
from meshnews.node.dispatches.purse import LIFE_DAYS
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from meshnews.node.records.wallet import Wallet
from tests.node.fragile import PowerCut, fragile
from tests.node.newsroom import TODAY, Machine, Question, make_home
from tests.node.newswork import (
    PICTURE,
    TEXT,
    Desk,
    attach,
    begun,
    bring,
    empty,
    finish,
    fresh_desk,
    items,
    only,
    refused,
    save,
    wires,
    withheld,
)

ROUTINE, BULK, FLASH = TrafficClass.ROUTINE, TrafficClass.BULK, TrafficClass.FLASH
LAST_DAY = Day(TODAY + 400 - 2 - LIFE_DAYS)
"""The last day on which what is on the card can frank a dispatch."""


@pytest.fixture
def desk() -> Desk:
    return fresh_desk()


@pytest.fixture
def reporter(desk: Desk) -> Machine:
    return desk.reporter


def finishing(draft: FilingDraft, text: str = TEXT, slug: str = "alań") -> Question:
    return lambda node: node.filing.finish(draft, text=text, slug=slug, now=True, forget=False)


def wallet(machine: Machine) -> Wallet:
    assert machine.vault is not None
    return Wallet(machine.vault, machine.entropy)


# What is refused, and that nothing is changed by it ---------------------------


@pytest.mark.parametrize("role", [HomeRole.REPORTER, HomeRole.RELAY, HomeRole.EDITOR])
def test_a_home_without_a_card_files_nothing(role: HomeRole) -> None:
    home = make_home("stranger", role)
    assert refused(home, lambda node: node.filing.begin(Priority.ROUTINE)) == "no-card"


def test_nothing_is_begun_without_postage(reporter: Machine) -> None:
    empty(reporter, shelf.POSTAGE)
    assert refused(reporter, lambda node: node.filing.begin(Priority.ROUTINE)) == "no-postage"


def test_nothing_is_begun_on_a_day_that_no_postage_reaches(reporter: Machine) -> None:
    last, after = LAST_DAY, Day(LAST_DAY + 1)
    reporter.ask(lambda node: node.filing.begin(Priority.ROUTINE, today=last))
    question = lambda node: node.filing.begin(Priority.ROUTINE, today=after)  # noqa: E731  asked once
    assert refused(reporter, question) == "no-postage"
    reporter.later(LAST_DAY - TODAY + 1)
    assert refused(reporter, lambda node: node.filing.begin(Priority.ROUTINE)) == "no-postage"


def test_a_date_before_what_the_machine_knows_is_refused(reporter: Machine) -> None:
    known = reporter.node.home.moment.floor_day
    draft = reporter.ask(lambda node: node.filing.begin(Priority.ROUTINE, today=known))
    assert draft.day in {known, known - 1}
    early = Day(known - 1)
    question = lambda node: node.filing.begin(Priority.ROUTINE, today=early)  # noqa: E731  asked once
    assert refused(reporter, question) == "date-too-early"


def test_one_attachment_more_than_there_may_be_is_refused(reporter: Machine) -> None:
    draft = begun(reporter)
    for _ in range(ATTACHMENTS_MAX):
        attach(reporter, draft, b"a")
    one_more: Question = lambda node: node.filing.attach(draft, "p", size=1, role=Role.FILE)  # noqa: E731  it is asked twice
    assert refused(reporter, one_more) == "too-many-attachments"
    finish(reporter, draft)


@pytest.mark.parametrize("there", [0, 9, 11, CHUNK_BYTES - 1])
def test_a_file_that_is_not_as_long_as_was_said_is_refused(reporter: Machine, there: int) -> None:
    draft = begun(reporter)
    reporter.ask(lambda node: node.filing.attach(draft, "p", size=10, role=Role.FILE))
    reporter.ask(lambda node: node.filing.add(draft, bytes(there)))
    assert refused(reporter, lambda node: node.filing.end_attachment(draft)) == "file-changed"


def test_chunks_need_postage_of_their_own(reporter: Machine) -> None:
    draft = begun(reporter)
    empty(reporter, shelf.POSTAGE, bytes([ROUTINE, POSTAGE_IDS_MAX]))
    reporter.ask(lambda node: node.filing.attach(draft, "p", size=len(PICTURE), role=Role.FILE))
    assert refused(reporter, lambda node: node.filing.add(draft, PICTURE)) == "no-postage"


def test_the_last_chunk_needs_postage_too(reporter: Machine) -> None:
    draft = begun(reporter)
    empty(reporter, shelf.POSTAGE, bytes([ROUTINE, POSTAGE_IDS_MAX]))
    reporter.ask(lambda node: node.filing.attach(draft, "p", size=10, role=Role.FILE))
    reporter.ask(lambda node: node.filing.add(draft, bytes(10)))
    assert refused(reporter, lambda node: node.filing.end_attachment(draft)) == "no-postage"


@pytest.mark.parametrize("priority", list(Priority))
def test_the_text_needs_postage_of_its_class(reporter: Machine, priority: Priority) -> None:
    draft = begun(reporter, priority)
    pieces = POSTAGE_IDS_MAX if priority is Priority.BULK else 1
    empty(reporter, shelf.POSTAGE, bytes([priority.traffic, pieces]))
    assert refused(reporter, finishing(draft)) == "no-postage"


@pytest.mark.parametrize("slug", ["", "   ", "two words", "two\nwords", "x" * (SLUG_CHARS_MAX + 1)])
def test_a_slug_is_one_word(reporter: Machine, slug: str) -> None:
    draft = begun(reporter)
    assert refused(reporter, finishing(draft, slug=slug)) == "bad-slug"
    finish(reporter, draft, slug=" алаң\n")
    (filed,) = reporter.ask(lambda node: node.dispatches.all())
    assert filed.dispatch.slug == "алаң"


@pytest.mark.parametrize("attachments", [0, 1])
@pytest.mark.parametrize("priority", list(Priority))
def test_a_text_fits_to_the_byte_or_is_refused(
    desk: Desk, priority: Priority, attachments: int
) -> None:
    reporter, slug = desk.reporter, "s" * SLUG_CHARS_MAX
    draft = begun(reporter, priority)
    for _ in range(attachments):
        attach(reporter, draft, b"a")
    room = text_capacity(
        slug,
        traffic=priority.traffic,
        day=draft.day,
        attachments=attachments,
        reply_keys=REPLY_KEYS,
    )
    assert refused(reporter, finishing(draft, "x" * (room + 1), slug)) == "text-too-long"
    finish(reporter, draft, "x" * room, slug=slug)
    bring(desk.editor, *wires(reporter))
    assert only(desk.editor).text == "x" * room


def test_a_text_that_nobody_could_open_is_not_filed(reporter: Machine) -> None:
    draft = begun(reporter)
    empty(reporter, shelf.PACK)
    reporter.node.home.book.bulletins.clear()
    assert refused(reporter, finishing(draft)) == "no-reader"


def test_what_the_node_dropped_when_it_was_built_anew_is_not_filed_without(
    reporter: Machine,
) -> None:
    draft = begun(reporter)
    attach(reporter, draft)
    reporter.restart()
    attach(reporter, draft)
    assert refused(reporter, finishing(draft)) == "filing-interrupted"
    reporter.ask(lambda node: node.filing.abandon(draft))
    assert withheld(reporter) == []


def test_a_text_alone_outlives_a_node_that_is_built_anew(reporter: Machine) -> None:
    draft = begun(reporter)
    reporter.restart()
    finish(reporter, draft)
    assert len(wires(reporter)) == 1


def test_steps_out_of_order_are_our_own_fault(reporter: Machine) -> None:
    draft = begun(reporter)
    with pytest.raises(LocalMisuse):
        reporter.ask(lambda node: node.filing.add(draft, b"a"))
    with pytest.raises(LocalMisuse):
        reporter.ask(lambda node: node.filing.end_attachment(draft))
    reporter.ask(lambda node: node.filing.attach(draft, "p", size=1, role=Role.FILE))
    with pytest.raises(LocalMisuse):
        reporter.ask(lambda node: node.filing.attach(draft, "q", size=1, role=Role.FILE))
    with pytest.raises(LocalMisuse):
        reporter.ask(finishing(draft))


# A draft ----------------------------------------------------------------------


def test_nothing_of_a_draft_is_offered_and_what_is_given_up_leaves_no_trace(
    reporter: Machine,
) -> None:
    before = reporter.carry.usage().total
    draft = begun(reporter)
    attach(reporter, draft)
    assert wires(reporter) == []
    assert reporter.carry.usage().total > before + len(PICTURE)
    reporter.ask(lambda node: node.filing.abandon(draft))
    assert reporter.carry.usage().total == before
    assert reporter.carry.count(shelf.DRAFT) == 0
    reporter.ask(lambda node: node.filing.abandon(draft))


def test_giving_up_what_was_finished_takes_nothing_back(desk: Desk) -> None:
    draft = begun(desk.reporter)
    attach(desk.reporter, draft)
    finish(desk.reporter, draft, now=False)
    desk.reporter.ask(lambda node: node.filing.abandon(draft))
    desk.reporter.later(0.1)
    bring(desk.editor, *wires(desk.reporter))
    assert save(desk.editor, only(desk.editor)) == PICTURE


def test_two_drafts_at_a_time_do_not_touch_each_other(desk: Desk) -> None:
    one, other = begun(desk.reporter), begun(desk.reporter)
    attach(desk.reporter, one)
    attach(desk.reporter, other, PICTURE[::-1])
    desk.reporter.ask(lambda node: node.filing.abandon(other))
    finish(desk.reporter, one)
    bring(desk.editor, *wires(desk.reporter))
    assert save(desk.editor, only(desk.editor)) == PICTURE


def test_a_draft_waits_for_the_vault_and_is_dropped_when_that_opens(reporter: Machine) -> None:
    attach(reporter, begun(reporter))
    vault, reporter.vault = reporter.vault, None
    reporter.restart()
    assert withheld(reporter)
    reporter.vault = vault
    reporter.restart()
    assert withheld(reporter) == []
    assert reporter.carry.count(shelf.DRAFT) == 0


@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
@pytest.mark.parametrize("step", [7, CHUNK_BYTES, 3 * CHUNK_BYTES])
def test_a_file_is_sealed_in_whatever_pieces_it_comes(desk: Desk, size: int, step: int) -> None:
    data = (PICTURE * 2)[:size]

    def act(node: Node) -> None:
        draft = node.filing.begin(Priority.ROUTINE)
        node.filing.attach(draft, "p.jpg", size=size, role=Role.FILE)
        for start in range(0, size, step):
            node.filing.add(draft, data[start : start + step])
        node.filing.end_attachment(draft)
        node.filing.finish(draft, text=TEXT, slug="alań", now=True, forget=False)

    desk.reporter.ask(act)
    bring(desk.editor, *wires(desk.reporter))
    assert save(desk.editor, only(desk.editor)) == data


def test_an_empty_file_arrives_empty(desk: Desk) -> None:
    draft = begun(desk.reporter)
    attach(desk.reporter, draft, b"")
    finish(desk.reporter, draft)
    bring(desk.editor, *wires(desk.reporter))
    assert save(desk.editor, only(desk.editor)) == b""


# Letting go -------------------------------------------------------------------


def test_text_and_chunks_enter_the_set_at_one_time_and_not_before(reporter: Machine) -> None:
    draft = begun(reporter)
    attach(reporter, draft)
    finish(reporter, draft, now=False)
    held = withheld(reporter)
    assert len(held) == 1 + len(draft.parts[0])
    (release_at_s,) = {entry.release_at_s for entry in held}
    lived_s, longest_s = reporter.node.home.moment.lived_s, reporter.node.home.settings.hold_s_max
    assert lived_s < release_at_s <= lived_s + longest_s
    assert wires(reporter) == []
    (filed,) = reporter.ask(lambda node: node.dispatches.all())
    assert (filed.state, filed.held_for_s) == (DispatchState.FILED, int(release_at_s - lived_s))
    reporter.later(longest_s / 86400)
    assert len(wires(reporter)) == len(held)


def test_a_flash_is_held_for_less(reporter: Machine) -> None:
    longest_s = reporter.node.home.settings.flash_hold_s_max
    for _ in range(12):
        finish(reporter, begun(reporter, Priority.URGENT), now=False)
    lived_s = reporter.node.home.moment.lived_s
    assert all(entry.release_at_s <= lived_s + longest_s for entry in withheld(reporter))


@pytest.mark.parametrize("now", [True, False])
def test_a_power_cut_while_it_is_filed_does_not_shorten_the_hold(
    reporter: Machine, now: bool
) -> None:
    machine = fragile(reporter)
    draft = begun(machine)
    attach(machine, draft)
    machine.cut_at, machine.moment = machine.seen + 1, "between"
    with pytest.raises(PowerCut):
        finish(machine, draft, now=now)
    machine.cut_at = 0
    machine.restart()
    expected = 1 + len(draft.parts[0])
    if now:
        assert len(wires(machine)) == expected
        return
    assert wires(machine) == []
    assert len(withheld(machine)) == expected
    assert len({entry.release_at_s for entry in withheld(machine)}) == 1
    machine.restart()
    assert len(withheld(machine)) == expected
    machine.later(machine.node.home.settings.hold_s_max / 86400)
    assert len(wires(machine)) == expected


def test_what_is_forgotten_travels_and_leaves_no_note(desk: Desk) -> None:
    draft = begun(desk.reporter)
    attach(desk.reporter, draft)
    filed = finish(desk.reporter, draft, slug="zhelmaya", forget=True)
    assert desk.reporter.ask(lambda node: node.dispatches.all()) == []
    assert desk.reporter.vault is not None
    for name in (shelf.OWN, shelf.PART):
        assert desk.reporter.vault.count(name) == 0
    assert not [value for _, _, value in desk.reporter.contents if b"zhelmaya" in value]
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    assert (item.ref, item.slug) == (filed.ref, "zhelmaya")
    assert save(desk.editor, item) == PICTURE


# What it spends ---------------------------------------------------------------


def test_filing_spends_a_prekey_of_each_editor_and_postage_for_each_bundle(
    reporter: Machine,
) -> None:
    purse, manifest = wallet(reporter), reporter.node.home.book.manifest
    assert manifest is not None
    (signer,) = manifest.holders_of(DeskRole.OPEN)
    prekeys = purse.prekeys_left(signer)
    texts, chunks = purse.pieces_left(ROUTINE, 1), purse.pieces_left(ROUTINE, POSTAGE_IDS_MAX)
    draft = begun(reporter)
    attach(reporter, draft)
    assert (purse.prekeys_left(signer), purse.pieces_left(ROUTINE, 1)) == (prekeys, texts)
    filed = finish(reporter, draft)
    assert (filed.readers, filed.shared_keys, filed.stale_keys) == (1, False, False)
    assert purse.prekeys_left(signer) == prekeys - 1
    assert purse.pieces_left(ROUTINE, 1) == texts - 1
    assert purse.pieces_left(ROUTINE, POSTAGE_IDS_MAX) == chunks - 1


def test_one_piece_of_postage_franks_as_many_chunks_as_it_says(reporter: Machine) -> None:
    purse, draft = wallet(reporter), begun(reporter)
    before = purse.pieces_left(ROUTINE, POSTAGE_IDS_MAX)
    for _ in range(POSTAGE_IDS_MAX):
        attach(reporter, draft, b"a") if len(draft.trees) < ATTACHMENTS_MAX else None
    assert purse.pieces_left(ROUTINE, POSTAGE_IDS_MAX) == before - 1
    other = begun(reporter)
    attach(reporter, other, b"a")
    assert purse.pieces_left(ROUTINE, POSTAGE_IDS_MAX) == before - 2


def test_with_no_prekey_left_it_is_sealed_to_the_key_of_the_day(desk: Desk) -> None:
    empty(desk.reporter, shelf.PACK)
    filed = finish(desk.reporter, begun(desk.reporter))
    assert (filed.readers, filed.shared_keys, filed.stale_keys) == (1, True, False)
    bring(desk.editor, *wires(desk.reporter))
    assert only(desk.editor).text == TEXT


def test_long_after_the_last_word_of_the_desk_the_key_is_called_old(desk: Desk) -> None:
    empty(desk.reporter, shelf.PACK)
    desk.reporter.later(380)
    filed = finish(desk.reporter, begun(desk.reporter))
    assert (filed.shared_keys, filed.stale_keys) == (True, True)


# Days -------------------------------------------------------------------------


def unsure(machine: Machine) -> None:
    """Let nobody vouch for the machine's clock any more."""
    machine.clock = replace(machine.clock, wall_is_trusted=False, wall_s=600.0)


def test_without_a_clock_a_dispatch_lives_as_long_as_postage_allows(desk: Desk) -> None:
    unsure(desk.reporter)
    draft = begun(desk.reporter)
    assert draft.day in {LAST_DAY, LAST_DAY - 1}
    assert (draft.clock_trusted, draft.knows_day) == (False, False)
    attach(desk.reporter, draft)
    finish(desk.reporter, draft)
    bring(desk.editor, *wires(desk.reporter))
    assert save(desk.editor, only(desk.editor)) == PICTURE


def test_a_time_that_cannot_be_is_not_claimed(desk: Desk) -> None:
    reporter, editor = desk.reporter, desk.editor
    finish(reporter, begun(reporter))
    now_s = int(reporter.clock.wall_s)
    unsure(reporter)
    finish(reporter, begun(reporter))
    bring(editor, *wires(reporter))
    assert sorted(item.claimed_at for item in items(editor)) == [0, now_s]


@pytest.mark.parametrize("traffic", [FLASH, ROUTINE, BULK])
@pytest.mark.parametrize("n", [1, POSTAGE_IDS_MAX])
def test_without_a_clock_postage_that_lasts_longer_does_not_make_the_rest_useless(
    desk: Desk, traffic: TrafficClass, n: int
) -> None:
    reporter = desk.reporter
    more = issue(
        Ed25519Secret(b"2" * 32),
        reporter.entropy,
        expiry_day=Day(TODAY + 600),
        traffic=traffic,
        n=n,
        count=1,
    )
    reporter.ask(lambda node: wallet(reporter).add_postage(more[0]))
    unsure(reporter)
    for priority in Priority:
        draft = begun(reporter, priority)
        attach(reporter, draft)
        finish(reporter, draft)


def test_without_a_clock_postage_that_has_run_out_sets_no_day(reporter: Machine) -> None:
    empty(reporter, shelf.POSTAGE, bytes([ROUTINE, POSTAGE_IDS_MAX]))
    old = issue(
        Ed25519Secret(b"2" * 32),
        reporter.entropy,
        expiry_day=Day(TODAY + 10),
        traffic=ROUTINE,
        n=POSTAGE_IDS_MAX,
        count=1,
    )
    reporter.ask(lambda node: wallet(reporter).add_postage(old[0]))
    unsure(reporter)
    assert begun(reporter).day in {LAST_DAY, LAST_DAY - 1}


def test_a_persons_date_counts_where_the_clock_does_not(reporter: Machine) -> None:
    unsure(reporter)
    day = Day(TODAY + 20)
    draft = reporter.ask(lambda node: node.filing.begin(Priority.ROUTINE, today=day))
    assert draft.day in {day, day - 1}
    assert (draft.clock_trusted, draft.knows_day) == (False, True)


def test_dispatches_make_one_chain_and_what_was_given_up_is_no_link_of_it(desk: Desk) -> None:
    finish(desk.reporter, begun(desk.reporter), "first")
    given_up = begun(desk.reporter)
    attach(desk.reporter, given_up)
    desk.reporter.ask(lambda node: node.filing.abandon(given_up))
    finish(desk.reporter, begun(desk.reporter), "second")
    bring(desk.editor, *wires(desk.reporter))
    assert {(item.text, item.alarms) for item in items(desk.editor)} == {
        ("first", ()),
        ("second", ()),
    }


@pytest.mark.parametrize("free", [0, 20_000_000, 20_000_000 + LEFT_FREE_BYTES])
def test_an_attachment_that_would_fill_the_disk_is_refused_before_it_is_sealed(
    reporter: Machine, free: int
) -> None:
    draft = begun(reporter)
    with pytest.raises(Refusal) as refusal:
        reporter.ask(
            lambda node: node.filing.attach(
                draft, "p.jpg", size=20_000_000, role=Role.FILE, bytes_free=free
            )
        )
    assert refusal.value.code == "disk-full"
    attach(reporter, draft)
    assert reporter.carry.body(finish(reporter, draft).ref) is not None
