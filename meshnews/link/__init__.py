"""Beacons, handshakes and records: a private stream between two machines."""
