"""Judges chains as each client family would; it reads no clock, and only `download` connects."""

from stress.trust.anchors import Anchors, load_anchors
from stress.trust.families import Judge, judge_of, known_missing, known_of
from stress.trust.path import open_end
from stress.trust.policy import policy_names
from stress.trust.reading.certificate import CertificateFacts, describe, name_of
from stress.trust.reading.description import differs
from stress.trust.rules.keys import parse_pin
from stress.trust.rules.staple import refused_by_staple
from stress.trust.stores import open_stores

__all__ = [
    "Anchors",
    "CertificateFacts",
    "Judge",
    "describe",
    "differs",
    "judge_of",
    "known_missing",
    "known_of",
    "load_anchors",
    "name_of",
    "open_end",
    "open_stores",
    "parse_pin",
    "policy_names",
    "refused_by_staple",
]
