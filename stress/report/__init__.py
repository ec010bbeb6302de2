"""Renders a Summary as text, JSON or a progress line; decides nothing and computes nothing new."""
