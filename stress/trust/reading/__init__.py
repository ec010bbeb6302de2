"""Certificates taken apart, whatever bytes they are made of; never whether to trust them."""
