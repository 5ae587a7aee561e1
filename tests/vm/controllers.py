"""Bluetooth controllers without a radio, for the virtual machine; run by a Python that has bumble.

    python controllers.py CAPTURE SOCKET...

Each controller waits behind a UNIX socket; one `Air` joins them.  Everything that
crosses it goes to the file CAPTURE, one JSON object a line: who sent, from which
address, to which, and the bytes; and which connections were lost.  An end that hears
nothing of the other for `SUPERVISION_S` loses its connection.  While there is a
file "flood" beside it, so many adverts a second as that says come from nobody, each
from an address of its own.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final, TextIO

from bumble import hci, ll  # type: ignore[import-not-found]  # in an environment of its own
from bumble.controller import Controller  # type: ignore[import-not-found]  # the same
from bumble.core import PhysicalTransport  # type: ignore[import-not-found]  # the same
from bumble.link import LocalLink  # type: ignore[import-not-found]  # the same
from bumble.transport import open_transport  # type: ignore[import-not-found]  # the same

SUPERVISION_S: Final = 1.0
"""How long a connection outlives its other end, twice that at most."""


class Radio(Controller):  # type: ignore[misc]  # bumble has no types here
    """One whose `Reset` resets, and which gives up a call: bumble's agree to both and do neither.

    What it went on with then, a scan or a call that its kernel knew nothing of, was in the way of
    all that the kernel began later.
    """

    def on_hci_reset_command(self, command: Any) -> Any:
        """Forget what goes on; nobody is told (Core 5.3, vol 4, part E, 7.3.2)."""
        self.le_scan_enable = False
        self.le_legacy_advertiser.stop()
        self.pending_le_connection = None
        self.le_connections.clear()
        return super().on_hci_reset_command(command)

    def on_hci_le_create_connection_cancel_command(self, command: Any) -> Any:
        """Give up a call, and say that it has come to nothing (the same, 7.8.13)."""
        call, self.pending_le_connection = self.pending_le_connection, None
        if call is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        asyncio.get_running_loop().call_soon(self._tell_of_nothing, call)
        return super().on_hci_le_create_connection_cancel_command(command)

    def _tell_of_nothing(self, call: Any) -> None:
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=call.peer_address_type,
                peer_address=call.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )


class Nobody:
    """What sends without being a controller."""

    name = "nobody"

    def __init__(self, address: Any) -> None:
        self.random_address = self.public_address = address


class Air(LocalLink):  # type: ignore[misc]  # bumble has no types here
    """Joins the controllers, and writes down what crosses."""

    def __init__(self, capture: TextIO) -> None:
        super().__init__()
        self._capture = capture

    def _write(self, kind: str, sender: object, **facts: object) -> None:
        line = {"s": round(time.monotonic(), 3), "kind": kind, "sender": str(sender), **facts}
        self._capture.write(json.dumps(line) + "\n")
        self._capture.flush()

    def send_advertising_pdu(self, sender_controller: Any, packet: Any) -> None:
        """Carry an advert, or the call to a machine that showed one."""
        if isinstance(packet, ll.ConnectInd):
            self._write(
                "connect",
                sender_controller.name,
                address=str(packet.initiator_address),
                to=str(packet.advertiser_address),
            )
            self._make_way_for(packet)
        else:
            self._write(
                "advert",
                sender_controller.name,
                address=str(packet.advertiser_address),
                data=bytes(packet.data).hex(),
            )
        super().send_advertising_pdu(sender_controller, packet)

    def send_acl_data(
        self, sender_controller: Any, destination_address: Any, transport: Any, data: bytes
    ) -> None:
        """Carry data to the other end of its connection: bumble looks at one address alone."""
        self._write("data", sender_controller.name, data=bytes(data).hex())
        if transport != PhysicalTransport.LE:
            super().send_acl_data(sender_controller, destination_address, transport, data)
            return
        connection = sender_controller.le_connections[destination_address]
        loop = asyncio.get_running_loop()
        if (there := self._other_end(connection)) is None:
            loop.call_soon(self._lose, connection)
        else:
            source = connection.self_address
            loop.call_soon(there.controller.on_link_acl_data, source, transport, data)

    def _other_end(self, connection: Any) -> Any:
        for controller in self.controllers:
            there = controller.le_connections.get(connection.self_address)
            if there is not None and there.self_address == connection.peer_address:
                return there
        return None

    def _make_way_for(self, call: ll.ConnectInd) -> None:
        """Lose the connection that a new one would push out.

        A controller of bumble tells connections apart by the other end's address alone, forgets
        one when it has another with the same, and tells nobody: both kernels would keep it, and
        send into nothing, for ever.  A real one would keep both, refuse one, or lose one.
        """
        for controller in self.controllers:
            if controller.le_legacy_advertiser.address == call.advertiser_address:
                before = controller.le_connections.get(call.initiator_address)
                if before is not None:
                    self._lose(before)

    async def supervise(self) -> None:
        """Lose connections of which one end alone is left, until cancelled.

        An end that let go may have said nothing, or been missed: without this the other would
        wait for ever as long as it sends nothing itself.
        """
        before: dict[int, Any] = {}
        while True:
            await asyncio.sleep(SUPERVISION_S)
            ends = [end for each in self.controllers for end in each.le_connections.values()]
            alone = {id(end): end for end in ends if self._other_end(end) is None}
            for number in alone.keys() & before.keys():
                self._lose(alone[number])
            before = alone

    def _lose(self, connection: Any) -> None:
        """End a connection as controllers do that have heard nothing of the other end for long."""
        for each in (self._other_end(connection), connection):
            if each and each.controller.le_connections.get(each.peer_address) is each:
                self._write("lost", each.controller.name, address=str(each.self_address))
                each.controller.on_le_disconnected(each, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def send_ll_control_pdu(
        self, sender_address: Any, receiver_address: Any, packet: ll.ControlPdu
    ) -> None:
        """Carry what keeps a connection up and ends it; lost where the other end has let go.

        bumble fails there, in the midst of ending its own side: that kernel would wait for the
        end for ever, and bluetoothd with it.
        """
        if self.find_le_controller(receiver_address) is not None:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)


async def flood(air: Air, wanted: Path) -> None:
    """Send adverts as those of shops, under ever other addresses, while that is wanted."""
    while True:
        try:
            per_s = float(wanted.read_text("ascii"))  # noqa: ASYNC240  of a few bytes, in memory
        except (OSError, ValueError):
            await asyncio.sleep(0.5)
            continue
        await asyncio.sleep(1 / per_s)
        address = hci.Address(os.urandom(5) + b"\xc0", hci.Address.RANDOM_DEVICE_ADDRESS)
        content = b"\x1a\xff\x4c\x00\x02\x15" + os.urandom(20) + b"\xc5"
        air.send_advertising_pdu(Nobody(address), ll.AdvInd(address, content))


async def main(capture: Path, sockets: list[str]) -> None:
    """Serve until killed."""
    with capture.open("w", encoding="ascii") as file:
        air, kept = Air(file), []
        for number, where in enumerate(sockets):
            transport = await open_transport(f"unix-server:{where}")
            address = f"00:1B:DC:00:00:0{number + 1}"
            controller = Radio(
                f"hci{number}",
                host_source=transport.source,
                host_sink=transport.sink,
                link=air,
                public_address=hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS),
            )
            # Features that come with events which bumble's controller does not send.
            controller.le_features &= ~(
                hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
            )
            # 27 bytes are the default; real controllers take 251.
            controller.le_acl_data_packet_length = 251
            kept.append((transport, controller))
        print("ready", flush=True)
        await asyncio.gather(air.supervise(), flood(air, capture.with_name("flood")))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
