"""Run the command line: ``python -m mantlet secrets check | example | scan``."""

from mantlet.cli import main

if __name__ == "__main__":
    main()
