"""The command line: asks the daemon and prints."""
