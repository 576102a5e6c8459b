"""``python -m mantlet.cli``: check secrets, write an example, find them in files."""

from mantlet.cli import main

if __name__ == "__main__":
    main()
