"""Urlencoded and multipart forms."""

from mantlet.guard.forms.fields import Form, FormFields
from mantlet.guard.forms.file import File
from mantlet.guard.forms.multipart import MultipartForm
from mantlet.guard.forms.uploads import UploadedFile
from mantlet.guard.forms.urlencoded import UrlencodedForm

__all__ = ["File", "Form", "FormFields", "MultipartForm", "UploadedFile", "UrlencodedForm"]
