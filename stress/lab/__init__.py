"""The faulty farm of TLS servers on loopback: plays what goes wrong, never judges what was seen."""

from stress.lab.catalogue import scenarios
from stress.lab.farm import Farm, start
from stress.lab.scenario import Planted, Scenario

__all__ = ["Farm", "Planted", "Scenario", "scenarios", "start"]
