"""`python -m stress` is `tls-stress`."""

import sys

from stress.cli.entrypoint import main

sys.exit(main())
