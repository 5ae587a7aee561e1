"""Contacts with other machines: finding, calling, admitting, and the ways out."""
