"""Sealed bundles: format, sealing, statements, chunks, postage, receipts."""
