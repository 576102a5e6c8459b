"""The settings of Django. ``runserver`` serves the app of `WSGI_APPLICATION`, with its policies."""

ROOT_URLCONF = "app"
WSGI_APPLICATION = "app.app"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
