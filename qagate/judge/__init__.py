"""Accept, review, reject or unscored, under this site's policy, and why?"""

from __future__ import annotations
