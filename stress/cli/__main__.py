"""`python -m stress.cli` is `tls-stress`."""

import sys

from stress.cli.main import main

sys.exit(main())
