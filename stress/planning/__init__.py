"""Turns words into a `Plan` and checks everything first; never sends a packet but DNS queries."""

from stress.planning.client.clients import clients, load_client
from stress.planning.consent import Guard
from stress.planning.machine import Machine
from stress.planning.place.resolution import Resolution, Resolve, resolve
from stress.planning.plan import plan_run
from stress.planning.profile import LoadProfile, filled, load_profile, profiles
from stress.planning.request import Request

__all__ = [
    "Guard",
    "LoadProfile",
    "Machine",
    "Request",
    "Resolution",
    "Resolve",
    "clients",
    "filled",
    "load_client",
    "load_profile",
    "plan_run",
    "profiles",
    "resolve",
]
