"""An editor's office: making a desk, its cards, bulletins, notices and recalls."""
