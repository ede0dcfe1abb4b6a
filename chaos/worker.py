"""`connector worker` with a wrong clock, and mortal."""

from __future__ import annotations

from chaos.mortality import APPLYING, Fate, install, shift_clock

if __name__ == "__main__":
    shift_clock()

    from connector.cli import main

    install(Fate(APPLYING))
    main()
