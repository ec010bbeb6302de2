import subprocess
import sys

import pytest

SELDOM = ("numpy.f2py.f2py2e", "numpy.ma.core", "numpy.testing._private", "numpy.polynomial.series")


@pytest.mark.slow
def test_what_scipy_asks_numpy_for_is_imported_when_it_is_used() -> None:
    code = (
        "import sys; from stress.analysis.proportions.special import betainc;"
        f"print(float(betainc(2.0, 3.0, 0.5)), [one for one in {SELDOM} if one in sys.modules]);"
        "import numpy, scipy.stats;"
        "print(numpy.ma.masked_array([1, 2], [0, 1]).sum(), numpy.random.default_rng(1).random(),"
        " scipy.stats.norm.cdf(0.0))"
    )
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["0.6875 []", "1 0.5118216247002567 0.5"]
