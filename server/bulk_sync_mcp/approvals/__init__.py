"""Approvals given outside the conversation: the page on loopback, and what the command line shares with it."""
