"""What the daemon and its command line say to each other."""
