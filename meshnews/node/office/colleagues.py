"""What editors tell each other: items sealed to the scan key that each one's bulletin shows."""

from meshnews.bundle.seal import Reader, epoch_prekey
from meshnews.bundle.statement import Inner, Kind, Priority
from meshnews.desk.manifest import Role
from meshnews.ids import BundleRef
from meshnews.node.home import Home
from meshnews.node.office.posting import post
from meshnews.node.office.seat import Seat


def colleagues(home: Home, seat: Seat) -> dict[bytes, Reader]:
    """Return the other editors who open, and how each is written to.

    Raises:
        Nothing.
    """
    return {
        bytes(key): Reader(bulletin.scan, epoch_prekey(bulletin.scan))
        for key, bulletin in sorted(home.book.bulletins.items())
        if key != seat.signer.public and Role.OPEN in seat.manifest.roles_of(key)
    }


def tell_colleagues(
    home: Home, seat: Seat, kind: Kind, cargo: bytes, *, only: bytes | None = None
) -> BundleRef | None:
    """Tell all other editors, or one, something; return the letter, None where there is nobody.

    Raises:
        LocalMisuse: no bundle holds it.
    """
    known = colleagues(home, seat)
    readers = [reader for key, reader in known.items() if only is None or key == only]
    if not readers:
        return None
    inner = Inner(kind, "", Priority.ROUTINE, cargo=cargo)
    desk = seat.manifest.desk
    return post(home, inner, readers, signer=seat.signer, issuer=seat.issuer, desk=desk)
