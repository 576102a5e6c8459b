"""Answers without the app's secrets, where a policy further in knows them."""

from mantlet.core.error_log import maskers
from mantlet.core.policy import Reply
from mantlet.core.request import Request

__all__ = ["masked"]


def masked(request: Request, reply: Reply) -> Reply:
    """Return an answer with every secret in its fields and its body masked."""
    for masker in maskers(request):
        media = next((v for n, v in reply.headers if n.lower() == "content-type"), "")
        reply.headers = tuple((name, masker.text(value)) for name, value in reply.headers)
        reply.body = masker.body(reply.body, media.partition(";")[0].strip().lower())
    return reply
