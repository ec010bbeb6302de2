"""Turns words into a `Plan` and checks everything first; never sends a packet but DNS queries."""

from stress.clients.profiles import clients, load_client
from stress.host.limits import Machine
from stress.planning.consent import Guard
from stress.planning.plan import plan_run
from stress.planning.profile import LoadProfile, filled, load_profile, profiles
from stress.planning.request import Request
from stress.planning.resolution import Resolution, Resolve, resolve

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
