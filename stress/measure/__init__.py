"""Durations as HDR histograms: counts, merges, reads and writes them; never measures a time."""

from stress.measure.histogram import Histogram, Packed
from stress.measure.log import HistogramLog

__all__ = ["Histogram", "HistogramLog", "Packed"]
