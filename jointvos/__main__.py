"""`python -m jointvos`, and what the installed command calls."""

import os


def main() -> None:
    """Run the command line."""
    # Decoding, network and encoding share the cores: OpenMP threads that wait must not spin.
    # libgomp reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from jointvos.cli.app import run

    run()


if __name__ == "__main__":
    main()
