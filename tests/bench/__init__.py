"""What the hot paths cost: two real daemons on loopback, and the library by itself."""
