"""Searches the highest load at which a goal still holds; it offers nothing itself."""
