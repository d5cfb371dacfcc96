"""Files and folders written whole or not at all, and never over what somebody else has written in the meantime.

A file is claimed before the work and written after it. Claiming makes the temporary file beside it and fills some of
that, so that a folder that cannot be written and a full disk are found at once; writing renames it. Without ``force``
the name must be free at that last moment too: of two runs that write the same name the second one fails. Temporary
names cannot be guessed and are made exclusively, so that a planted symbolic link leads nowhere. Each is locked while
its process lives; what a killed run left is removed by the next one that writes into the folder.
"""

from placer.files.folder import probe_folder, recover_folder, write_folder
from placer.files.target import Output, Target, claim, path_of, scratch_folder, write_atomically

__all__ = [
    "Output",
    "Target",
    "claim",
    "path_of",
    "probe_folder",
    "recover_folder",
    "scratch_folder",
    "write_atomically",
    "write_folder",
]
