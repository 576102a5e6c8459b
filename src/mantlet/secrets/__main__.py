"""``python -m mantlet.secrets COMMAND``, the same as ``python -m mantlet secrets COMMAND``."""

import sys
from importlib import import_module

if __name__ == "__main__":
    sys.argv.insert(1, "secrets")
    # By its name: the command line is in a layer above the policies.
    import_module("mantlet.cli").main()
