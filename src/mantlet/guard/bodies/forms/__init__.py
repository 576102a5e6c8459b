"""Urlencoded and multipart forms."""

from mantlet.guard.bodies.forms.fields import Form, FormFields
from mantlet.guard.bodies.forms.file import File
from mantlet.guard.bodies.forms.multipart import MultipartForm
from mantlet.guard.bodies.forms.uploads import UploadedFile
from mantlet.guard.bodies.forms.urlencoded import UrlencodedForm

__all__ = ["File", "Form", "FormFields", "MultipartForm", "UploadedFile", "UrlencodedForm"]
