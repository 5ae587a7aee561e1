"""What receipts do, what they may not do, and how a collector holds them back."""

from dataclasses import replace

import pytest

from meshnews.bundle.receipt import Receipt, ShortReceipt
from meshnews.errors import Exceeded, Forged, Malformed, PeerError
from meshnews.ids import TrafficClass
from meshnews.store import receipts as receipts_module
from meshnews.store.port import State
from meshnews.store.terms import Acknowledged, Judgement
from tests.store.kit import DAY_S, STRANGER, TODAY, Keeper, Press, Sample, at, by_any_name

BULK, FLASH, NOTICE = TrafficClass.BULK, TrafficClass.FLASH, TrafficClass.NOTICE
HOUR_S = 3600.0


@pytest.fixture
def press() -> Press:
    return Press()


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def ack(keeper: Keeper, sample: Sample, lived_s: float = 1000.0) -> Acknowledged:
    return keeper.custody.acknowledge(sample.receipt, at(lived_s))


def ack_shortly(keeper: Keeper, sample: Sample) -> Acknowledged:
    return keeper.custody.acknowledge_short(sample.ref, sample.receipt.short, at())


# At a relay


def test_a_small_body_stays_six_hours_after_its_receipt(press: Press, keeper: Keeper) -> None:
    sample = press.make(size=8192)
    keeper.take(sample)
    assert ack(keeper, sample, 1000.0) is Acknowledged.NEW
    assert keeper.state(sample) is State.ACKED_WITH_BODY
    assert keeper.custody.give(sample.ref, at(1000.0 + 6 * HOUR_S)) is not None
    keeper.custody.sweep(at(1000.0 + 6 * HOUR_S))
    assert keeper.state(sample) is State.ACKED_WITH_BODY
    keeper.custody.sweep(at(1000.0 + 6 * HOUR_S + 601))
    assert keeper.state(sample) is State.ACKED


@pytest.mark.parametrize(
    ("traffic", "size"), [(BULK, 2048), (BULK, 66560), (TrafficClass.ROUTINE, 32768)]
)
def test_acked_bulk_and_large_bodies_go_at_once(
    press: Press, keeper: Keeper, traffic: TrafficClass, size: int
) -> None:
    sample = press.make(traffic, size=size)
    keeper.take(sample)
    assert ack(keeper, sample) is Acknowledged.NEW
    assert keeper.state(sample) is State.ACKED
    assert keeper.carry.usage().total == 0


def test_a_second_receipt_is_known(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    keeper.take(sample)
    ack(keeper, sample)
    assert ack(keeper, sample) is Acknowledged.KNOWN
    assert ack_shortly(keeper, sample) is Acknowledged.KNOWN


def test_a_receipt_is_passed_on_as_it_came(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    keeper.take(sample)
    assert keeper.custody.receipt_for(sample.ref) is None
    ack(keeper, sample)
    assert keeper.custody.receipt_for(sample.ref) == sample.receipt


def test_a_short_receipt_becomes_full_where_the_body_is(press: Press, keeper: Keeper) -> None:
    sample = press.make(BULK)
    keeper.take(sample)
    assert ack_shortly(keeper, sample) is Acknowledged.NEW
    assert keeper.custody.receipt_for(sample.ref) == sample.receipt


def test_a_short_receipt_stays_short_where_the_body_is_not(press: Press) -> None:
    keeper, sample = Keeper(quota_bytes=1000), press.make()
    assert keeper.take(sample) is Judgement.NO_ROOM
    assert ack_shortly(keeper, sample) is Acknowledged.NEW
    assert keeper.state(sample) is State.ACKED
    assert keeper.custody.receipt_for(sample.ref) == sample.receipt.short


def test_a_short_receipt_for_what_is_not_known_is_of_no_use(press: Press, keeper: Keeper) -> None:
    assert ack_shortly(keeper, press.make()) is Acknowledged.REFUSED
    assert keeper.carry.count_elements() == 0


def test_after_a_receipt_the_body_is_not_wanted_any_more(press: Press, keeper: Keeper) -> None:
    sample = press.make()
    ack(keeper, sample)
    for their_state in State:
        assert not keeper.custody.wants(sample.ref, their_state, at())
    assert keeper.take(sample) is Judgement.KNOWN
    assert keeper.state(sample) is State.ACKED


# What is no receipt


def test_a_receipt_for_another_bundle_is_forged(press: Press, keeper: Keeper) -> None:
    one, other = press.make(), press.make()
    keeper.take(one)
    with pytest.raises(Forged):
        keeper.custody.acknowledge_short(one.ref, other.receipt.short, at())
    with pytest.raises(Forged):
        short = ShortReceipt(bytes(32), one.bundle.h_rest)
        keeper.custody.acknowledge_short(one.ref, short, at())
    assert keeper.state(one) is State.HELD


def test_a_guessed_secret_names_another_bundle_and_needs_its_postage(
    press: Press, keeper: Keeper
) -> None:
    sample = press.make()
    keeper.take(sample)
    guess = replace(sample.receipt, purge=bytes(32))
    assert guess.ref != sample.ref
    with pytest.raises(Forged):
        keeper.custody.acknowledge(guess, at())
    assert keeper.state(sample) is State.HELD
    assert keeper.carry.count_elements() == 1


def test_a_notice_has_no_receipt(press: Press, keeper: Keeper) -> None:
    sample = press.make(NOTICE)
    keeper.take(sample)
    bundle = sample.bundle
    with pytest.raises(PeerError):
        Receipt(sample.purge, bundle.h_ct, bundle.meta, bundle.auth)
    with pytest.raises(Exceeded):
        short = ShortReceipt(sample.purge, bundle.h_rest)
        keeper.custody.acknowledge_short(sample.ref, short, at())
    assert keeper.state(sample) is State.HELD


# Of bundles never held


def test_a_receipt_of_a_bundle_never_held_needs_good_postage(press: Press, keeper: Keeper) -> None:
    good = press.make(BULK, size=66560)
    assert ack(keeper, good) is Acknowledged.NEW
    entry = keeper.custody.entry(good.ref)
    assert entry is not None
    assert (entry.state, entry.size, entry.had_body) == (State.ACKED, 66560, False)
    assert keeper.custody.receipt_for(good.ref) == good.receipt
    keeper.known = by_any_name
    with pytest.raises(Forged):
        ack(keeper, press.make(key=press.key(by=STRANGER)))
    assert keeper.carry.count_elements() == 1


def test_a_receipt_by_an_issuer_not_known_here_is_nobodys_fault(
    press: Press, keeper: Keeper
) -> None:
    keeper.known = lambda _: []
    assert ack(keeper, press.make()) is Acknowledged.REFUSED
    assert keeper.carry.count_elements() == 0


def test_a_receipt_of_what_expired_is_of_no_use(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=1)
    late = at(floor_day=TODAY + 4)
    assert keeper.custody.acknowledge(sample.receipt, late) is Acknowledged.REFUSED


def test_a_receipt_of_a_stamped_bundle_counts_as_well(press: Press, keeper: Keeper) -> None:
    sample = press.stamped(0)
    assert ack(keeper, sample) is Acknowledged.NEW
    assert keeper.state(sample) is State.ACKED


def test_stamps_have_an_end(press: Press, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshnews.store.acknowledgement.STAMPS_KNOWN_MAX", 2)
    monkeypatch.setattr("meshnews.store.admission.STAMPS_KNOWN_MAX", 2)
    ack(keeper, press.stamped(0))
    keeper.take(press.stamped(1))
    assert ack(keeper, press.stamped(2)) is Acknowledged.NO_ROOM
    assert keeper.take(press.stamped(3)) is Judgement.NO_ROOM
    assert keeper.carry.count_elements() == 2


def test_receipts_of_bundles_never_held_are_bounded_by_issuer(
    press: Press, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_module, "RECEIPTS_UNKNOWN_MAX", 3)
    samples = [press.make(day=TODAY - 2 * number) for number in range(5)]
    for sample in samples[:3]:
        assert ack(keeper, sample) is Acknowledged.NEW
    assert ack(keeper, samples[0]) is Acknowledged.KNOWN
    assert ack(keeper, samples[3]) is Acknowledged.NO_ROOM
    # One that is held costs nobody a place.
    keeper.take(samples[3])
    assert ack(keeper, samples[3]) is Acknowledged.NEW
    # Whatever time lets go of makes room.
    keeper.custody.forget(samples[2].ref)
    assert ack(keeper, samples[4]) is Acknowledged.NEW


def test_places_come_back_when_marks_go(
    press: Press, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_module, "RECEIPTS_UNKNOWN_MAX", 2)
    for _ in range(2):
        ack(keeper, press.make())
    later = at(1000.0 + 30 * DAY_S, TODAY + 30)
    keeper.custody.sweep(later)
    assert keeper.carry.count_elements() == 0
    assert keeper.carry.count(receipts_module.UNKNOWN) == 0
    assert keeper.carry.count(receipts_module.UNKNOWN_BY) == 0
    fresh = press.make(day=TODAY + 30)
    assert keeper.custody.acknowledge(fresh.receipt, later) is Acknowledged.NEW


# At a desk's machine


def test_a_desk_wants_what_was_acked_before_it_saw_the_body(press: Press) -> None:
    for keeper in (Keeper(desk=True), Keeper(collector=True)):
        sample = press.make()
        assert keeper.custody.wants(sample.ref, State.ACKED_WITH_BODY, at())
    relay, desk = Keeper(), Keeper(desk=True)
    sample = press.make()
    assert not relay.custody.wants(sample.ref, State.ACKED_WITH_BODY, at())
    for keeper in (relay, desk):
        ack(keeper, sample)
    assert not relay.custody.missing(TrafficClass.ROUTINE, at(), at_most=9)
    (missing,) = desk.custody.missing(TrafficClass.ROUTINE, at(), at_most=9)
    assert missing.ref == sample.ref
    assert desk.custody.wants(sample.ref, State.HELD, at())
    assert desk.custody.judge(sample.bundle.offer, at()) is Judgement.WANTED
    assert desk.take(sample) is Judgement.WANTED
    assert desk.state(sample) is State.ACKED_WITH_BODY
    assert desk.custody.receipt_for(sample.ref) == sample.receipt
    assert not desk.custody.missing(TrafficClass.ROUTINE, at(), at_most=9)


def test_what_a_desk_once_had_it_does_not_fetch_again(press: Press) -> None:
    desk, sample = Keeper(desk=True, quota_bytes=3000), press.make()
    desk.take(sample)
    ack(desk, sample)
    assert desk.take(press.make()) is Judgement.WANTED
    assert desk.state(sample) is State.ACKED
    assert not desk.custody.wants(sample.ref, State.ACKED_WITH_BODY, at())


@pytest.mark.parametrize("role", ["collector", "desk"])
def test_a_desks_machine_drops_nothing_because_of_a_receipt(press: Press, role: str) -> None:
    keeper = Keeper(collector=role == "collector", desk=role == "desk")
    sample = press.make(BULK, size=66560)
    keeper.take(sample)
    ack(keeper, sample)
    for days in range(1, 47):
        keeper.custody.sweep(at(1000.0 + days * DAY_S, TODAY + days))
        assert keeper.state(sample) is State.ACKED_WITH_BODY
    keeper.custody.sweep(at(1000.0 + 47 * DAY_S, TODAY + 47))
    assert keeper.state(sample) is State.ACKED
    keeper.custody.sweep(at(1000.0 + 49 * DAY_S, TODAY + 49))
    assert keeper.state(sample) is None


# A collector's batches


def collector_with(*samples: Sample, seed: bytes = b"collector") -> Keeper:
    keeper = Keeper(collector=True, seed=seed)
    for sample in samples:
        keeper.take(sample)
    return keeper


def test_a_collector_holds_a_receipt_back_until_its_batch(press: Press) -> None:
    sample = press.make()
    keeper = collector_with(sample)
    keeper.custody.sweep(at(1000.0))
    assert ack(keeper, sample, 1000.0) is Acknowledged.PENDING
    assert ack(keeper, sample, 1001.0) is Acknowledged.KNOWN
    assert keeper.state(sample) is State.HELD
    assert keeper.custody.receipt_for(sample.ref) is None
    assert keeper.custody.sweep(at(2799.0)).acked == ()
    assert keeper.custody.next_s(at(2799.0)) == 2800.0
    assert keeper.custody.sweep(at(2800.0)).acked == (sample.ref,)
    assert keeper.state(sample) is State.ACKED_WITH_BODY
    assert keeper.custody.receipt_for(sample.ref) == sample.receipt
    assert keeper.custody.sweep(at(9999.0)).acked == ()


def test_a_flash_is_released_after_two_minutes(press: Press) -> None:
    flash, routine = press.make(FLASH), press.make()
    keeper = collector_with(flash, routine)
    for sample in (flash, routine):
        ack(keeper, sample, 1000.0)
    assert keeper.custody.sweep(at(1120.0)).acked == (flash.ref,)
    assert keeper.custody.sweep(at(2800.0)).acked == (routine.ref,)


def test_a_batch_is_shuffled(press: Press) -> None:
    samples = [press.make() for _ in range(12)]
    orders = []
    for seed in (b"one", b"two"):
        keeper = collector_with(*samples, seed=seed)
        for number, sample in enumerate(samples):
            ack(keeper, sample, 1000.0 + number)
        orders.append(keeper.custody.sweep(at(2800.0)).acked)
        assert set(orders[-1]) == {sample.ref for sample in samples}
    by_arrival = tuple(sample.ref for sample in samples)
    assert len({by_arrival, tuple(sorted(by_arrival)), *orders}) == 4


def test_a_receipt_waits_for_its_bundle(press: Press) -> None:
    sample, keeper = press.make(), Keeper(collector=True)
    assert ack(keeper, sample, 1000.0) is Acknowledged.PENDING
    assert ack(keeper, sample, 1000.0) is Acknowledged.KNOWN
    assert keeper.custody.sweep(at(5000.0)).acked == ()
    assert keeper.custody.wants(sample.ref, State.HELD, at())
    assert keeper.take(sample, at(6000.0)) is Judgement.WANTED
    assert keeper.custody.sweep(at(7799.0)).acked == ()
    assert keeper.custody.sweep(at(7800.0)).acked == (sample.ref,)


def test_a_batch_outlives_a_restart(press: Press) -> None:
    sample = press.make()
    keeper = collector_with(sample)
    ack(keeper, sample, 1000.0)
    again = Keeper(collector=True, carry=keeper.carry)
    again.custody.sweep(at(1100.0))
    assert again.custody.sweep(at(2900.0)).acked == (sample.ref,)


def test_receipts_that_wait_are_bounded_and_go_with_time(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts_module, "RECEIPTS_UNKNOWN_MAX", 2)
    keeper = Keeper(collector=True)
    for _ in range(2):
        assert ack(keeper, press.make()) is Acknowledged.PENDING
    assert ack(keeper, press.make()) is Acknowledged.NO_ROOM
    keeper.custody.sweep(at(1000.0 + 49 * DAY_S, TODAY + 49))
    assert keeper.carry.count(receipts_module.PENDING) == 0
    assert keeper.carry.count(receipts_module.UNKNOWN) == 0


# What a receipt is passed on with


def with_bent_postage(sample: Sample) -> Receipt:
    receipt = sample.receipt
    # The payer is part of the identifier, the signatures behind it are not.
    bent = receipt.auth[:36] + b"\xff" * (len(receipt.auth) - 36)
    return Receipt(receipt.purge, receipt.h_ct, receipt.meta, bent)


def test_a_receipt_is_passed_on_with_the_postage_of_the_bundle_that_is_held(
    press: Press, keeper: Keeper
) -> None:
    # Its identifier does not commit to its signatures: whoever brought bad ones
    # would have us blamed wherever the bundle is new.
    sample = press.make()
    keeper.take(sample)
    assert keeper.custody.acknowledge(with_bent_postage(sample), at()) is Acknowledged.NEW
    assert keeper.custody.receipt_for(sample.ref) == sample.receipt


def test_bad_postage_on_a_receipt_of_a_bundle_that_is_lacking_is_blamed(press: Press) -> None:
    keeper = Keeper(quota_bytes=2048)
    held, lacking = press.make(day=TODAY), press.make(day=TODAY - 2)
    keeper.take(held)
    keeper.take(lacking)
    assert keeper.state(lacking) is State.LACKING
    with pytest.raises(Malformed):
        keeper.custody.acknowledge(with_bent_postage(lacking), at())
    assert keeper.state(lacking) is State.LACKING
    assert ack(keeper, lacking) is Acknowledged.NEW
    assert keeper.custody.receipt_for(lacking.ref) == lacking.receipt


def test_a_receipt_whose_issuer_is_not_known_any_more_is_passed_on_to_who_knows_the_bundle(
    press: Press,
) -> None:
    keeper = Keeper(quota_bytes=2048)
    held, lacking = press.make(day=TODAY), press.make(day=TODAY - 2)
    keeper.take(held)
    keeper.take(lacking)
    keeper.known = lambda _: []
    assert ack(keeper, lacking) is Acknowledged.NEW
    assert keeper.custody.receipt_for(lacking.ref) == lacking.receipt.short
