"""Makes a wheel of the package as it runs here, for a machine that lacks it (`--deploy`).

It holds the package's own files and the metadata with which it was installed here, so that `pip` on
the other machine finds the dependencies by itself (PyPA, "Binary distribution format").
"""

from __future__ import annotations

import io
import zipfile
from importlib import metadata
from pathlib import Path

import stress
from stress.errors import UsageError
from stress.text.tomlfile import profiles_folder

NAME = f"tls_stress-{stress.__version__}-py3-none-any.whl"
_TAGS = "Wheel-Version: 1.0\nGenerator: tls-stress\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel() -> bytes:
    """Return the content of the wheel `NAME`.

    Raises:
        UsageError: this tls-stress was never installed, so nobody knows what it depends on.
    """
    try:
        about = metadata.distribution("tls-stress")
    except metadata.PackageNotFoundError:
        about = None
    described = about and about.read_text("METADATA")
    if about is None or not described or about.version != stress.__version__:
        raise UsageError(
            "--deploy: this tls-stress was not installed by pip, so its dependencies are not known",
            "Install it here with pip or pipx, or install it there by hand.",
        )
    package, profiles = Path(stress.__file__).parent, profiles_folder()
    files = {f"stress/{path.relative_to(package)}": path for path in package.rglob("*")}
    files |= {f"stress/profiles/{path.relative_to(profiles)}": path for path in profiles.rglob("*")}
    info = f"tls_stress-{stress.__version__}.dist-info"
    texts = {
        f"{info}/METADATA": described,
        f"{info}/WHEEL": _TAGS,
        f"{info}/entry_points.txt": about.read_text("entry_points.txt") or "",
    }
    buffer, names = io.BytesIO(), []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, name)
                names.append(name)
        for name, text in texts.items():
            archive.writestr(name, text)
        record = f"{info}/RECORD"
        archive.writestr(record, "".join(f"{name},,\n" for name in [*names, *texts, record]))
    return buffer.getvalue()
