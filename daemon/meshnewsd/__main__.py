"""``python -m meshnewsd``: the daemon."""

import sys

from meshnewsd.main import main

if __name__ == "__main__":
    sys.exit(main())
