"""`python -m stress.cli` is `tls-stress`."""

import sys

from stress.cli.door import main

sys.exit(main())
