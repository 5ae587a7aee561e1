"""What the doctor finds about Bluetooth."""

from meshnews.control.finding import Check, Finding, Level
from meshnewsd.discovery.interface import Health, Radio
from meshnewsd.platform.host_checks import hides_bluetooth_address


def of_bluetooth(health: Health) -> list[Finding]:
    """Return how Bluetooth fares; nothing where it is not used."""
    radio = health.radio
    if radio is None:
        return []
    # Not everybody has Bluetooth, and nothing is wrong with that.
    level = Level.GOOD if radio in {Radio.ON, Radio.ABSENT} else Level.WARNING
    findings = [Finding(check=Check.BLUETOOTH, level=level, name=radio.value)]
    if radio is Radio.ON:
        if len(health.adapters) > 1:
            findings.append(
                Finding(
                    check=Check.BLUETOOTH_ADAPTER,
                    level=Level.GOOD,
                    name=health.adapters[0],
                    number=len(health.adapters),
                )
            )
        level = Level.GOOD if hides_bluetooth_address() else Level.WARNING
        findings.append(Finding(check=Check.BLUETOOTH_ADDRESS, level=level))
    return findings
