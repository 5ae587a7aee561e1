"""What a node holds and why: the port of a store, custody, age and time."""
