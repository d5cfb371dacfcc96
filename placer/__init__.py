"""Plan where the layers of neural networks run on edge devices.

The one flow: files → Instance → plan → Plan → evaluate → Evaluation → report, plan.json, manifests.
"""

from placer._version import __version__

__all__ = ["__version__"]
