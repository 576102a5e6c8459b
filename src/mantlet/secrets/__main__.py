"""``python -m mantlet.secrets``: check secrets, write an example, find them in files."""

from mantlet.secrets.command import main

if __name__ == "__main__":
    main()
