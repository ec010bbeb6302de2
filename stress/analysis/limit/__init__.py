"""Searches the highest load at which a goal still holds; never offers load itself."""
