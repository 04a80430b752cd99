# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes around the HeNB, for one scenario: what the files named below make of them.

Everything is started as a child in its namespace, waited for by a fact (a socket, an answer), and ended by stop().
"""

from gateways import Gateways
from hosting import Hosting
from links import Links
from machine import Children
from names import Names
from openiked import OpenIked
from servers import Servers
from traffic import Traffic
from watchers import Watchers


class Boxes(Children, Links, Names, Gateways, OpenIked, Hosting, Servers, Traffic, Watchers):
    """Everything around the HeNB. Logs go to the folder *logs*."""

    def stop(self):
        """Ends what runs and removes namespaces; afterwards nothing of the lab is left."""
        self.end_all()
        self.iked_end()
        self.links_end()
