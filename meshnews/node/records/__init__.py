"""What a home writes down for its work: keys, chains, who is known, what is owed."""
