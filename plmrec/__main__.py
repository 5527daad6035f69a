"""``python -m plmrec`` is the command ``plmrec``."""

from __future__ import annotations

from plmrec.cli.main import main

if __name__ == "__main__":
    main()
