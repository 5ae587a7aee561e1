"""The daemon: sockets, radios, disks and timers round one node."""
