"""The baseline alone. Run it with ``gunicorn minimal:app``."""

import falcon

import mantlet


class Hello:
    """``/``."""

    def on_get(self, _: falcon.Request, response: falcon.Response) -> None:
        response.text = "Hello"


bare = falcon.App()
bare.add_route("/", Hello())
app = mantlet.wrap(bare)
