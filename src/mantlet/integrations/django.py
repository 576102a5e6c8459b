"""Django: a middleware that answers refusals within Django.

Add it as the last line of the setting, so that it gets each exception of a view first::

    MIDDLEWARE = [
        ...,
        "mantlet.integrations.django.ProblemMiddleware",
    ]

A raised `Problem`, and an exception that `ErrorEnvelope` maps to a status below 500, then is a
response to Django like any other: no error in its log, no mail to the ADMINS, no event of a service
that collects errors, and the middlewares around it set their headers and cookies. Without it the
client gets the same problem, and Django's log and mails leave it out as well, but all else in
between sees a crash and a 500.

An exception of a middleware, rather than of a view, is noted without it, by Django's signal.
"""

import sys
from functools import partial
from typing import Any, ClassVar

from mantlet.errors.framework_exceptions import is_http_exception
from mantlet.integrations.handled import note_handled, refusal
from mantlet.integrations.signals import django_raw

__all__ = ["ProblemMiddleware"]


# Any: Django's own types, which are not imported here.
class ProblemMiddleware(partial[Any]):
    """A Django middleware, sync or async as the next one is, since it is a partial of that.

    Args:
        get_response: the next middleware or the view.
    """

    sync_capable: ClassVar[bool] = True
    async_capable: ClassVar[bool] = True

    def process_exception(self, request: Any, exception: Exception) -> Any:
        """Return the response to a refusal, or None to leave the exception to Django."""
        raw = django_raw(request)
        if not is_http_exception(exception):
            reply = refusal(raw, exception)
            if reply is not None:
                response = sys.modules["django.http"].HttpResponse(reply.body, status=reply.status)
                for name, value in reply.headers:
                    response.headers[name] = value
                return response
        note_handled(raw, exception)
        return None
