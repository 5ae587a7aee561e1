"""The machine: clocks, paths, systemd, logs, threads."""
