"""Three hosts by ssh and three workers of a Dask cluster make one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vantage.hosts import PROGRAMS, RefusedError
from tests.vantage.many import BY_DASK, BY_SSH, ManyPlaces, first_cause


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.real(*PROGRAMS)
def test_ssh_and_dask_make_one_run_whose_counts_are_those_of_the_servers_log(
    tmp_path: Path,
) -> None:
    try:
        places = ManyPlaces(tmp_path)
    except RefusedError as error:
        pytest.skip(f"no network namespaces here: {error}")
    with places:
        outcome = places.run("-n", "600", "--concurrency", "12")
        eve = next(vantage for vantage, name in places.names.items() if name == "eve")
        left = [places.hosts.files(name) for name in BY_SSH], places.cluster.left()

    assert outcome.code in {1, 4}, outcome.said
    assert outcome.attempts == dict.fromkeys((*BY_SSH, *BY_DASK), 100)
    assert outcome.connections == outcome.attempts
    assert first_cause(outcome) == [("vantage", eve)]
    assert left == ([[], [], []], {})
