"""Zylon Workspace: its client and its mapping."""
