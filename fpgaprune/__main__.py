"""``python -m fpgaprune`` is the command ``fpgaprune``."""

from __future__ import annotations

from fpgaprune.cli import main

if __name__ == "__main__":
    main()
