from __future__ import annotations

import io
import zipfile

import pytest

import stress
from stress.vantage.wheel import NAME, wheel


@pytest.mark.slow
def test_it_holds_the_package_its_profiles_and_what_pip_needs() -> None:
    with zipfile.ZipFile(io.BytesIO(wheel())) as archive:
        names = set(archive.namelist())
        info = f"tls_stress-{stress.__version__}.dist-info"
        about = archive.read(f"{info}/METADATA").decode()
        record = archive.read(f"{info}/RECORD").decode().splitlines()
        entry = archive.read(f"{info}/entry_points.txt").decode()

    assert NAME.startswith(f"tls_stress-{stress.__version__}-")
    assert {"stress/__init__.py", "stress/vantage/far.py", "stress/store/schema.sql"} <= names
    assert "stress/profiles/clients/generic.toml" in names
    assert "Requires-Dist: trio" in about
    assert "tls-stress = stress.__main__:main" in entry
    assert {line.removesuffix(",,") for line in record} == names
    assert not [name for name in names if "__pycache__" in name]
