"""Certificates taken apart: what each says, whatever bytes it is made of."""
