"""The baseline alone. Run it with ``flask --app minimal run``."""

from flask import Flask

import mantlet

app = Flask(__name__)
mantlet.install(app)


@app.get("/")
def hello() -> str:
    return "Hello"
