"""`Cors`, `CrossOrigin` and `Hosts`: which sites may send requests, and by which names."""

from mantlet.origins.cors import Cors
from mantlet.origins.cross_origin import CrossOrigin
from mantlet.origins.hosts import Hosts

__all__ = ["Cors", "CrossOrigin", "Hosts"]
