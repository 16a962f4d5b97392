"""`python -m shoal_cli`."""

from shoal_cli.main import main

if __name__ == "__main__":
    main()
