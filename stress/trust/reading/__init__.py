"""Parses certificates from any bytes; it never decides whether to trust them."""
