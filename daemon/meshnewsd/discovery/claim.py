"""The DNS-SD names that this machine claims, and who else answers under them."""

from zeroconf import (
    DNSAddress,
    DNSRecord,
    DNSService,
    DNSText,
    RecordUpdate,
    RecordUpdateListener,
    ServiceInfo,
    Zeroconf,
)

_Content = tuple[int | str | bytes | None, ...]


class NameWatch(RecordUpdateListener):
    """Notices another machine that answers under a name of ours (RFC 6762, section 9).

    What others repeat word for word is no conflict: routers carry such records from
    one network into another.  Told by zeroconf in its own thread.
    """

    def __init__(self) -> None:
        self.taken: frozenset[str] = frozenset()
        """Labels under which somebody else has answered."""
        self._said: dict[str, frozenset[_Content]] = {}

    def claim(self, service: ServiceInfo) -> None:
        """Take note of what we say under the names of a service, besides what we said before."""
        records = [service.dns_service(), service.dns_text(), *service.dns_addresses()]
        for record in records:
            said = self._said.get(record.key, frozenset())
            self._said[record.key] = said | {_content(record)}

    def release(self, service: ServiceInfo) -> None:
        """Claim the names of a service no longer."""
        for name in (service.key, service.server_key or ""):
            self._said.pop(name, None)

    def async_update_records(
        self,
        zc: Zeroconf,  # noqa: ARG002  zeroconf's own signature
        now: float,  # noqa: ARG002  likewise
        records: list[RecordUpdate],
    ) -> None:
        """Look at what came from the network, our own words among it."""
        for record in (update.new for update in records):
            said, content = self._said.get(record.key), _content(record)
            if said is not None and content and content not in said and record.ttl:
                self.taken |= {record.key.partition(".")[0]}


def _content(record: DNSRecord) -> _Content:
    """Return what a record says, without the interface it was heard on; () for other kinds."""
    match record:
        case DNSService():
            return "srv", record.priority, record.weight, record.port, record.server_key
        case DNSText():
            return "txt", record.text
        case DNSAddress():
            return "address", record.address
        case _:
            return ()


def label_of(service: ServiceInfo) -> str:
    """Return the label that a service of ours has as its instance and as its host."""
    return service.name.partition(".")[0]
