"""Renders a recorded run as one self-contained HTML page; never fetches or decides anything."""
