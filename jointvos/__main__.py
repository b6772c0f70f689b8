"""`python -m jointvos`, and what the installed command calls."""

import os


def main() -> None:
    """Run the command line."""
    # Read when torch is imported and first asks for memory, and so set here. Decoding, network and
    # encoding share the cores: OpenMP threads that wait must not spin. And large tensors come and
    # go in every frame: in huge pages, where the system has them, each is made in fewer steps.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from jointvos.cli.app import run

    run()


if __name__ == "__main__":
    main()
