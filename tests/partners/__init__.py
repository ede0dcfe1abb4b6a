"""Contract tests: what every partner's webhook must do. A partner is one module here, with one class of a few lines."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.contract")
