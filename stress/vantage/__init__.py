"""Makes one run from many machines at once: starts them together and brings their files home.

The nouns: a *vantage* is one machine (or pod, or this machine); its *gateway* is our end of a way
to it; a *fleet* opens gateways (`execnet` over ssh or any command, `distributed`
to Dask's workers). Each vantage makes its *part* of the run with the engine that it has, into a run
file of its own. No connection of ours goes anywhere but to the parts, and nothing is decided there
that is not a message in `messages`.

The calls: `home.record_from` does all of it here; `far.serve` does a part there.
"""
