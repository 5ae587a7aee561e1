"""An editor's own letters: sealed, franked on the spot, and let go at once."""

from meshnews.bundle.envelope import answer_seed_of_key, even_day
from meshnews.bundle.postage import ByPostage, certify
from meshnews.bundle.seal import Reader, draft, seal
from meshnews.bundle.statement import Inner, chain_link, write
from meshnews.crypto.keys import Ed25519Secret
from meshnews.ids import BundleRef, Day, DeskId, TrafficClass
from meshnews.limits import LIVES_DAYS
from meshnews.node.home import Home
from meshnews.node.person import Person
from meshnews.node.records.outbox import Outbox
from meshnews.store.terms import FILING_DAYS


def post(
    home: Home,
    inner: Inner,
    readers: list[Reader],
    *,
    signer: Ed25519Secret,
    issuer: Ed25519Secret,
    desk: DeskId,
    traffic: TrafficClass | None = None,
) -> BundleRef:
    """Seal an editor's statement, frank it and let it travel; return what it became.

    Its class is that of its priority, or `traffic`.

    Raises:
        LocalMisuse: no bundle holds it, or there are too many readers.
    """
    person = Person(home.open_vault)
    seq, prev = person.chain()
    envelope = draft(home.entropy)
    payload = write(
        inner,
        signer=signer,
        pc=envelope.pc,
        desk=desk,
        seq=seq,
        prev=prev,
        claimed_time=max(0, home.wall.s),
    )
    traffic = inner.priority.traffic if traffic is None else traffic
    day, life = _term(home, issuer)
    # Its reader tells by that which bundle is ours, whatever others frank again.
    postage = certify(
        issuer,
        answer_seed_of_key(envelope.key),
        expiry_day=Day(day + FILING_DAYS + life),
        traffic=traffic,
        n=1,
    )
    bundle = seal(
        payload,
        readers,
        traffic=traffic,
        day=day,
        life=life,
        entropy=home.entropy,
        franker=ByPostage(postage),
        envelope=envelope,
    ).bundle
    person.set_chain(seq + 1, chain_link(payload))
    Outbox(home).keep(bundle)
    home.publish(bundle, release_after_s=0.0)
    return bundle.ref


def _term(home: Home, issuer: Ed25519Secret) -> tuple[Day, int]:
    """Return day and life of a bundle of now: the longest that the issuer can still certify.

    Postage that outlives its issuer is refused by everybody.  Where not even
    the shortest life fits, the day is the last that did.
    """
    today = even_day(home.moment.today)
    manifest = home.book.manifest
    issuers = () if manifest is None else manifest.issuers
    for ends in (one.expiry_day for one in issuers if one.key == issuer.public):
        for life in reversed(LIVES_DAYS):
            if today + FILING_DAYS + life <= ends:
                return today, life
        return even_day(Day(max(0, ends - FILING_DAYS - LIVES_DAYS[-1]))), LIVES_DAYS[-1]
    return today, LIVES_DAYS[-1]
