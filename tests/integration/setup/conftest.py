"""The customers' page works in the same house as the operator's."""

from __future__ import annotations

from tests.integration.console.conftest import any_house, house, stand_in

__all__ = ["any_house", "house", "stand_in"]
