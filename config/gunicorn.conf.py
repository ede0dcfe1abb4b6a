# gunicorn --config config/gunicorn.conf.py
# The settings that `connector serve` uses; write those that you want otherwise below.
from connector.web.gunicorn_settings import *  # noqa: F403
