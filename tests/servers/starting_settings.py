"""Django's settings for `starting`."""

SECRET_KEY = "x" * 50
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.servers.starting_urls"
WSGI_APPLICATION = "starting.app"
USE_TZ = True
