"""What a node takes in, what it notes, and what leaves no mark."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from meshnews.bundle.auth_field import Postage, decode_auth
from meshnews.bundle.format import Bundle, Offer, parse
from meshnews.bundle.postage import frank
from meshnews.crypto.digest import Label
from meshnews.crypto.keys import Ed25519Secret, PostageKey
from meshnews.errors import Exceeded, Forged, Malformed, PeerError
from meshnews.ids import AuthKind, BundleId, Day, TrafficClass
from meshnews.store.franking import ACKED_PER_KEY
from meshnews.store.port import State
from meshnews.store.terms import Judgement
from tests.store.kit import (
    DAY_S,
    ISSUER,
    STRANGER,
    TODAY,
    Keeper,
    Press,
    Sample,
    at,
    by_any_name,
    issuers,
)

NOTICE, BULK = TrafficClass.NOTICE, TrafficClass.BULK


@pytest.fixture
def press() -> Press:
    return Press()


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def offered(keeper: Keeper, sample: Sample, auth: bytes | None = None) -> Judgement:
    offer = sample.bundle.offer
    return keeper.custody.judge(offer if auth is None else replace(offer, auth=auth), at())


# Taking


def test_a_good_bundle_is_taken_once(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    assert keeper.custody.wants(sample.ref, State.HELD, at())
    assert offered(keeper, sample) is Judgement.WANTED
    assert keeper.take(sample) is Judgement.WANTED
    assert keeper.state(sample) is State.HELD
    assert keeper.custody.body(sample.ref) == sample.bundle.wire
    assert not keeper.custody.wants(sample.ref, State.HELD, at())
    assert offered(keeper, sample) is Judgement.KNOWN
    assert keeper.take(sample) is Judgement.KNOWN


def test_a_stamped_bundle_is_taken(press: Press, keeper: Keeper) -> None:
    sample = press.stamped(0)
    assert offered(keeper, sample) is Judgement.WANTED
    assert keeper.take(sample) is Judgement.WANTED
    assert keeper.carry.usage().stamped == 2048


def test_what_was_judged_is_not_verified_again(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    assert offered(keeper, sample) is Judgement.WANTED
    keeper.known = lambda _: []
    accepted = keeper.custody.accept(
        sample.bundle.wire, age_s=0, moment=at(), judged=sample.bundle.offer
    )
    assert accepted.outcome is Judgement.WANTED


def test_another_copy_than_was_judged_is_verified(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    forged = sample.bundle.wire[:-100] + bytes(100)
    with pytest.raises(PeerError):
        keeper.custody.accept(forged, age_s=0, moment=at(), judged=sample.bundle.offer)
    assert keeper.state(sample) is None


@pytest.mark.parametrize("their_state", [State.LACKING, State.ACKED])
def test_nothing_is_wanted_of_who_has_no_body(
    press: Press, keeper: Keeper, their_state: State
) -> None:
    assert not keeper.custody.wants(press.make().ref, their_state, at())


# What leaves no mark


def flip(wire: bytes, place: int) -> bytes:
    return wire[:place] + bytes((wire[place] ^ 1,)) + wire[place + 1 :]


@given(place=st.integers(0, 2047))
@settings(max_examples=60)
def test_wrong_bytes_leave_no_mark_against_the_real_ones(place: int) -> None:
    keeper, sample = Keeper(), Press().make()
    wire = flip(sample.bundle.wire, place)
    try:
        outcome = keeper.custody.accept(wire, age_s=0, moment=at()).outcome
    except PeerError:
        outcome = Judgement.REFUSED
    # The name of another issuer is one that is not known here.
    assert outcome is Judgement.REFUSED
    assert keeper.carry.count_elements() == 0
    assert keeper.take(sample) is Judgement.WANTED


@given(wire=st.binary(max_size=3000))
def test_garbage_is_refused_and_leaves_nothing(wire: bytes) -> None:
    keeper = Keeper()
    with pytest.raises(PeerError):
        keeper.custody.accept(wire, age_s=0, moment=at())
    assert keeper.carry.count_elements() == 0


@pytest.mark.parametrize(
    ("spoil", "blame"),
    [
        (lambda key, name: frank(key, name)[:36] + bytes(143), Malformed),
        (lambda key, name: frank(key, BundleId(name[::-1])), Forged),
        (lambda key, name: frank(certified(key, by=STRANGER), name), Forged),
        (lambda key, name: frank(certified(replace(key, traffic=BULK)), name), Exceeded),
        (lambda key, name: frank(replace(key, certificate=bytes(64)), name), Forged),
        (lambda key, name: frank(replace(key, n=16), name), Forged),
        (lambda key, name: frank(replace(key, expiry_day=Day(65535)), name), Forged),
    ],
    ids=[
        "no more than a key",
        "the signature under another bundle",
        "an issuer who is not the one we know by that name",
        "postage for a less urgent class",
        "no certificate",
        "more ids than certified",
        "a later day than certified",
    ],
)
def test_bad_postage_leaves_no_mark_against_the_id(
    press: Press,
    keeper: Keeper,
    spoil: Callable[[PostageKey, BundleId], bytes],
    blame: type[PeerError],
) -> None:
    key = press.key()
    good = press.make(key=key)
    bad = replace(good, bundle=parse(good.bundle.wire[:-179] + spoil(key, good.ref.id)))
    assert bad.ref == good.ref
    keeper.known = by_any_name
    with pytest.raises(blame):
        offered(keeper, bad)
    with pytest.raises(blame):
        keeper.take(bad)
    assert keeper.carry.count_elements() == 0
    assert offered(keeper, good) is Judgement.WANTED
    assert keeper.take(good) is Judgement.WANTED


def certified(key: PostageKey, by: Ed25519Secret = ISSUER) -> PostageKey:
    """Return the postage with a certificate for what it says."""
    read = decode_auth(frank(key, BundleId(bytes(32))))
    assert isinstance(read, Postage)
    return replace(key, certificate=by.sign(Label.POSTAGE_1, read.certified))


def test_what_has_no_postage_at_all_leaves_no_mark(press: Press, keeper: Keeper) -> None:
    bare = press.make(auth=bytes(179))
    with pytest.raises(Malformed):
        offered(keeper, bare)
    with pytest.raises(Malformed):
        keeper.take(bare)
    assert keeper.carry.count_elements() == 0


def test_a_carrier_cannot_put_its_own_postage_on_what_it_carries(
    press: Press, keeper: Keeper
) -> None:
    sample = press.make()
    carried = sample.bundle.wire[:-179] + frank(press.key(), sample.ref.id)
    with pytest.raises(Forged):
        keeper.custody.accept(carried, age_s=0, moment=at(), expected=sample.ref)
    assert keeper.carry.count_elements() == 0
    assert keeper.take(sample) is Judgement.WANTED


def test_an_issuer_not_known_here_is_nobodys_fault(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    keeper.known = lambda _: []
    assert offered(keeper, sample) is Judgement.REFUSED
    assert keeper.take(sample) is Judgement.REFUSED
    assert keeper.carry.count_elements() == 0
    keeper.known = issuers
    assert keeper.take(sample) is Judgement.WANTED


def test_an_issuer_whose_time_was_prolonged_elsewhere_is_nobodys_fault(
    press: Press, keeper: Keeper
) -> None:
    sample = press.make()
    keeper.known = lambda kid: [(key, Day(day - 1)) for key, day in issuers(kid)]
    assert keeper.take(sample) is Judgement.REFUSED
    urgent = press.make(TrafficClass.FLASH, key=press.key(traffic=BULK))
    with pytest.raises(Exceeded):
        keeper.take(urgent)
    assert keeper.carry.count_elements() == 0


def test_a_stamp_without_its_work_is_forged(press: Press, keeper: Keeper) -> None:
    sample = press.stamped(0)
    lazy = b"\x93\x02\xc4\x08" + bytes(8) + b"\x14"
    with pytest.raises(Forged):
        offered(keeper, sample, auth=lazy.ljust(179, b"\0"))
    assert keeper.carry.count_elements() == 0


def test_a_stamp_cannot_reach_into_the_far_future(press: Press, keeper: Keeper) -> None:
    sample = press.stamped(1)
    early = at(floor_day=TODAY - 402)
    assert keeper.custody.judge(sample.bundle.offer, early) is Judgement.WANTED
    earlier = at(floor_day=TODAY - 403)
    assert keeper.custody.judge(sample.bundle.offer, earlier) is Judgement.REFUSED
    assert keeper.take(sample, earlier) is Judgement.REFUSED
    postage = press.make()
    assert keeper.take(postage, at(floor_day=0)) is Judgement.WANTED


# Expiry and age


def test_only_the_floor_makes_a_bundle_refused(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=3)
    last = at(floor_day=TODAY + 5)
    over = at(floor_day=TODAY + 6)
    assert keeper.custody.judge(sample.bundle.offer, over) is Judgement.REFUSED
    assert keeper.take(sample, over) is Judgement.REFUSED
    assert keeper.carry.count_elements() == 0
    assert keeper.take(sample, last) is Judgement.WANTED


def test_what_can_only_be_expired_is_not_asked_for(press: Press, keeper: Keeper) -> None:
    ref = press.make().ref
    assert keeper.custody.wants(ref, State.HELD, at(floor_day=TODAY + 16))
    assert not keeper.custody.wants(ref, State.HELD, at(floor_day=TODAY + 17))


@pytest.mark.parametrize("role", ["collector", "desk"])
def test_a_desks_machine_takes_what_expired_in_the_last_30_days(press: Press, role: str) -> None:
    keeper = Keeper(collector=role == "collector", desk=role == "desk")
    sample = press.make(life=3)
    assert keeper.take(sample, at(floor_day=TODAY + 36)) is Judgement.REFUSED
    assert keeper.take(sample, at(floor_day=TODAY + 35), age_s=10**6) is Judgement.WANTED
    assert keeper.state(sample) is State.HELD
    ref = press.make().ref
    assert keeper.custody.wants(ref, State.HELD, at(floor_day=TODAY + 46))
    assert not keeper.custody.wants(ref, State.HELD, at(floor_day=TODAY + 47))


def test_a_great_age_leaves_no_mark(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=1)
    assert keeper.take(sample, age_s=86400) is Judgement.REFUSED
    judged = keeper.custody.judge(sample.bundle.offer, at(), age_s=86400)
    assert judged is Judgement.REFUSED
    assert keeper.carry.count_elements() == 0
    assert keeper.take(sample, age_s=86399) is Judgement.WANTED


def test_of_several_ages_the_smallest_counts_also_later(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=1)

    def dies_at_s() -> float:
        entry = keeper.custody.entry(sample.ref)
        assert entry is not None
        return entry.dies_at_s

    keeper.take(sample, at(1000.0), age_s=50_000)
    assert dies_at_s() == 1000.0 + 86400 - 50_000
    keeper.take(sample, at(2000.0), age_s=60_000)
    assert dies_at_s() == 1000.0 + 86400 - 50_000
    keeper.take(sample, at(2000.0), age_s=10_000)
    assert dies_at_s() == 2000.0 + 86400 - 10_000
    keeper.custody.judge(sample.bundle.offer, at(3000.0), age_s=0)
    assert dies_at_s() == 3000.0 + 86400


def test_what_a_liar_aged_is_made_young_by_an_honest_copy(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=1)
    keeper.take(sample, at(0.0), age_s=86399)
    keeper.custody.sweep(at(10.0))
    assert keeper.state(sample) is State.AGED
    assert keeper.custody.give(sample.ref, at(10.0)) is None
    assert keeper.custody.wants(sample.ref, State.HELD, at(10.0))
    assert keeper.take(sample, at(10.0), age_s=900) is Judgement.KNOWN
    assert keeper.state(sample) is State.HELD


@pytest.mark.parametrize("age_s", [-1, -(10**9)])
def test_an_age_below_nothing_is_nothing(press: Press, keeper: Keeper, age_s: int) -> None:
    sample = press.make(life=1)
    keeper.take(sample, at(0.0), age_s=age_s)
    entry = keeper.custody.entry(sample.ref)
    assert entry is not None
    assert entry.dies_at_s == 86400.0


# The n + 1 lowest


def under_one_key(press: Press, count: int, n: int) -> list[Sample]:
    key = press.key(n=n)
    return sorted((press.make(key=key) for _ in range(count)), key=lambda sample: sample.ref.id)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_of_the_ids_under_one_key_the_lowest_stay_in_any_order(order: tuple[int, ...]) -> None:
    keeper, samples = Keeper(), under_one_key(Press(), 4, n=1)
    for place in order:
        keeper.take(samples[place])
    assert keeper.states(samples) == [State.HELD, State.HELD, None, None]


@given(
    n=st.sampled_from([1, 2, 3]),
    order=st.permutations(range(7)),
    acked=st.sets(st.integers(0, 6)),
    own=st.sets(st.integers(0, 6), max_size=2),
)
@settings(max_examples=40)
def test_nodes_agree_whatever_came_first(
    n: int, order: list[int], acked: set[int], own: set[int]
) -> None:
    samples = under_one_key(Press(), 7, n=n)
    keeper = Keeper()
    for place in order:
        if place in own:
            keeper.custody.keep_own(samples[place].bundle, at(), release_after_s=0)
        else:
            keeper.take(samples[place])
    kept = {place for place in range(7) if keeper.state(samples[place]) is not None}
    assert kept == set(range(n + 1)) | own
    for place in acked:
        keeper.custody.acknowledge(samples[place].receipt, at())
    # What a receipt says of a high id that was turned away is turned away as well.
    assert {p for p in range(7) if keeper.state(samples[p]) is not None} == kept


def test_a_higher_one_is_refused_by_its_offer_and_leaves_no_mark(press: Press) -> None:
    keeper, samples = Keeper(), under_one_key(press, 3, n=1)
    for sample in samples[:2]:
        keeper.take(sample)
    assert offered(keeper, samples[2]) is Judgement.REFUSED
    assert keeper.take(samples[2]) is Judgement.REFUSED
    assert keeper.carry.count_elements() == 2


def test_an_acked_one_stays_when_a_lower_one_comes(press: Press) -> None:
    keeper, samples = Keeper(), under_one_key(press, 3, n=1)
    for sample in samples[1:]:
        keeper.take(sample)
    keeper.custody.acknowledge(samples[2].receipt, at())
    assert keeper.take(samples[0]) is Judgement.WANTED
    assert keeper.states(samples) == [State.HELD, State.HELD, State.ACKED_WITH_BODY]


def test_acked_ones_under_one_key_have_an_end(press: Press) -> None:
    keeper, samples = Keeper(), under_one_key(press, 40, n=1)
    for sample in reversed(samples):
        assert keeper.take(sample) is Judgement.WANTED
        keeper.custody.acknowledge(sample.receipt, at())
    assert keeper.carry.count_elements() == ACKED_PER_KEY * 2
    assert keeper.state(samples[0]) is State.ACKED_WITH_BODY


def test_a_key_for_sixteen_admits_seventeen(press: Press) -> None:
    keeper, samples = Keeper(), under_one_key(press, 20, n=16)
    for sample in reversed(samples):
        keeper.take(sample)
    held = [State.HELD] * 17
    assert keeper.states(samples) == [*held, None, None, None]


def test_what_is_dropped_for_a_lower_one_was_bad_luck_and_comes_again(press: Press) -> None:
    keeper, samples = Keeper(), under_one_key(press, 3, n=1)
    for sample in reversed(samples):
        keeper.take(sample)
    assert keeper.state(samples[2]) is None
    keeper.custody.forget(samples[0].ref)
    assert keeper.take(samples[2]) is Judgement.WANTED


# Notices


class Reader:
    """Learns from one notice, and says whether it was told that its postage holds."""

    def __init__(self, news: Sample) -> None:
        self.news = news
        self.was_franked: list[bool] = []

    def __call__(self, bundle: Bundle, *, is_franked: bool) -> bool:
        """Take a notice for news."""
        self.was_franked.append(is_franked)
        return bundle == self.news.bundle


def test_a_notice_that_is_news_is_taken_though_it_expired(press: Press, keeper: Keeper) -> None:
    expired, moment = press.make(NOTICE, size=66560, life=1), at(floor_day=TODAY + 100)
    assert keeper.custody.judge(expired.bundle.offer, moment) is Judgement.WANTED
    keeper.custody.learn = Reader(expired)
    assert keeper.take(expired, moment) is Judgement.WANTED
    assert keeper.state(expired) is State.HELD


def test_a_notice_may_bring_the_issuer_of_its_own_postage(press: Press, keeper: Keeper) -> None:
    manifest = press.make(NOTICE, key=press.key(by=STRANGER))

    def adopt(bundle: Bundle, *, is_franked: bool) -> bool:
        assert not is_franked
        keeper.known = lambda _: [(STRANGER.public, Day(TODAY + 400))]
        return bundle == manifest.bundle

    keeper.custody.learn = adopt
    assert keeper.take(manifest) is Judgement.WANTED
    assert keeper.state(manifest) is State.HELD


def test_news_with_bad_postage_is_learnt_and_not_kept(press: Press, keeper: Keeper) -> None:
    # Whoever were given such a notice by us would take us for its maker.
    keeper.known = by_any_name
    forged = press.make(NOTICE, key=press.key(by=STRANGER))
    reader = keeper.custody.learn = Reader(forged)
    assert keeper.take(forged) is Judgement.REFUSED
    assert reader.was_franked == [False]
    assert keeper.state(forged) is None


def test_notices_that_bring_nothing_new_fill_no_more_than_their_share(press: Press) -> None:
    keeper = Keeper(quota_bytes=20 * 1024 * 1024)
    samples = [press.make(NOTICE, size=66560) for _ in range(40)]
    taken = [keeper.take(sample) for sample in samples]
    assert taken.count(Judgement.WANTED) * 66560 <= 2 * 1024 * 1024
    assert taken[-1] is Judgement.REFUSED
    assert keeper.state(samples[-1]) is None
    keeper.custody.learn = Reader(samples[-1])
    assert keeper.take(samples[-1]) is Judgement.WANTED


def test_a_notice_that_is_no_news_needs_postage(press: Press, keeper: Keeper) -> None:
    assert keeper.take(press.make(NOTICE, key=press.key(by=STRANGER))) is Judgement.REFUSED
    keeper.known = by_any_name
    with pytest.raises(Forged):
        keeper.take(press.make(NOTICE, key=press.key(by=STRANGER)))
    with pytest.raises(Exceeded):
        keeper.take(press.make(NOTICE, key=press.key(traffic=TrafficClass.FLASH)))
    assert keeper.take(press.make(NOTICE), at(floor_day=TODAY + 100)) is Judgement.REFUSED
    assert keeper.carry.count_elements() == 0
    assert keeper.take(press.make(NOTICE)) is Judgement.WANTED


def test_a_notice_in_force_is_given_though_it_expired(press: Press, keeper: Keeper) -> None:
    pinned, ordinary = press.make(NOTICE, life=1), press.make(NOTICE, life=1)
    for sample in (pinned, ordinary):
        keeper.take(sample)
    keeper.custody.pin(pinned.ref)
    for days in range(1, 60):
        keeper.custody.sweep(at(1000.0 + days * DAY_S, TODAY + days))
    late = at(1000.0 + 60 * DAY_S, TODAY + 60)
    given = keeper.custody.give(pinned.ref, late)
    assert given is not None
    assert given.age_s <= 3600
    assert keeper.states([pinned, ordinary]) == [State.HELD, None]
    keeper.custody.unpin(pinned.ref, late)
    keeper.custody.sweep(at(late.lived_s + 700, late.floor_day))
    assert keeper.state(pinned) is None


def test_a_notice_found_to_be_in_force_after_it_aged_is_young_again(press: Press) -> None:
    keeper, sample = Keeper(), press.make(NOTICE, life=1)
    keeper.take(sample)
    keeper.custody.sweep(at(1000.0 + 2 * DAY_S))
    assert keeper.state(sample) is State.AGED
    keeper.custody.pin(sample.ref)
    assert keeper.state(sample) is State.HELD


# Own work


def test_own_work_enters_the_set_after_its_hold(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    keeper.custody.keep_own(sample.bundle, at(1000.0), release_after_s=60.0)
    assert keeper.state(sample) is State.WITHHELD
    assert keeper.custody.days(TrafficClass.ROUTINE) == []
    assert keeper.custody.give(sample.ref, at(1000.0)) is None
    keeper.custody.sweep(at(1000.0))
    assert keeper.custody.next_s(at(1000.0)) == 1060.0
    assert keeper.custody.sweep(at(1059.0)).released == ()
    assert keeper.custody.sweep(at(1060.0)).released == (sample.ref,)
    assert keeper.state(sample) is State.HELD


def test_own_work_may_be_let_go_early_or_late(press: Press, keeper: Keeper) -> None:
    samples = [press.make() for _ in range(3)]
    for sample in samples:
        keeper.custody.keep_own(sample.bundle, at(), release_after_s=1e9)
    keeper.custody.release_own(samples[0].ref, at(), release_after_s=0)
    keeper.custody.release_own(samples[1].ref, at(1000.0), release_after_s=5.0)
    assert keeper.states(samples) == [State.HELD, State.WITHHELD, State.WITHHELD]
    assert keeper.custody.sweep(at(1005.0)).released == (samples[1].ref,)
    keeper.custody.release_own(press.make().ref, at(), release_after_s=0)


def test_keeping_own_work_again_changes_nothing(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    keeper.custody.keep_own(sample.bundle, at(), release_after_s=0)
    keeper.custody.acknowledge(sample.receipt, at())
    keeper.custody.keep_own(sample.bundle, at(), release_after_s=60)
    assert keeper.state(sample) is State.ACKED_WITH_BODY


def test_own_work_is_unpinned_by_its_receipt(press: Press, keeper: Keeper) -> None:
    sample = press.make(BULK, size=66560)
    keeper.custody.keep_own(sample.bundle, at(), release_after_s=0)
    keeper.custody.acknowledge(sample.receipt, at())
    entry = keeper.custody.entry(sample.ref)
    assert entry is not None
    assert (entry.state, entry.pinned) == (State.ACKED, False)


# Giving


def test_an_age_is_rounded_up_and_never_small(press: Press, keeper: Keeper) -> None:
    samples = [press.make() for _ in range(40)]
    for sample in samples:
        keeper.take(sample, at(0.0))

    def ages(lived_s: float) -> list[int]:
        found = [keeper.custody.give(sample.ref, at(lived_s)) for sample in samples]
        return [given.age_s for given in found if given is not None]

    young = ages(1.0)
    assert ages(2.0) == young
    assert set(young) <= {900, 1800, 2700, 3600}
    assert len(set(young)) > 1
    assert set(ages(3601.0)) == {4500}
    assert set(ages(14 * DAY_S - 1)) == {14 * 86400}
    assert ages(14 * DAY_S) == []


def test_another_machine_says_other_least_ages(press: Press) -> None:
    samples = [press.make() for _ in range(20)]
    said = []
    for seed in (b"one", b"two"):
        keeper = Keeper(seed=seed)
        for sample in samples:
            keeper.take(sample)
        given = [keeper.custody.give(sample.ref, at()) for sample in samples]
        said.append([each.age_s for each in given if each is not None])
    assert said[0] != said[1]


def test_what_expired_is_not_given_except_by_a_desks_machine(press: Press) -> None:
    sample, over = press.make(life=1), at(2000.0, TODAY + 4)
    for keeper, gives in ((Keeper(), False), (Keeper(collector=True), True)):
        keeper.take(sample)
        assert (keeper.custody.give(sample.ref, over) is not None) is gives
        assert keeper.custody.give(sample.ref, at()) is not None


def test_an_offer_says_what_the_bundle_says(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    assert keeper.custody.offer(sample.ref) is None
    keeper.take(sample)
    assert keeper.custody.offer(sample.ref) == sample.bundle.offer
    assert isinstance(sample.bundle.offer, Offer)


def test_digests_name_the_days_asked_for(press: Press, keeper: Keeper) -> None:
    for day in (2094, 2096, 2100):
        keeper.take(press.make(day=day))
    routine = TrafficClass.ROUTINE
    digests = keeper.custody.digests(routine, TODAY, Day(2096))
    assert [day for day, _ in digests] == [2096, 2100]
    assert digests[0][1] == keeper.carry.bucket_digest(routine, Day(2096))
    assert len(keeper.custody.elements(routine, TODAY)) == 1


def test_copies_are_counted_when_a_peer_stores(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    keeper.take(sample)
    keeper.custody.stored_by_peer(sample.ref)
    keeper.custody.stored_by_peer(press.make().ref)
    entry = keeper.custody.entry(sample.ref)
    assert entry is not None
    assert (entry.copies, entry.auth) == (1, AuthKind.POSTAGE)
