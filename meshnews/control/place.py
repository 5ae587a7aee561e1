"""Where the command line and the daemon of one home find each other, and the home itself."""

from typing import Final

HOME_VARIABLE: Final = "MESHNEWS_HOME"
"""The environment variable that names the home."""

HOME_FOLDER: Final = "relay"
"""The default home is the folder of this name in the user's data directory: it
stands on a disk that may be searched, so it says nothing."""

CONFIG_NAME: Final = "config.toml"
"""What a person writes about the home, inside it."""

SOCKET_NAME: Final = "control.sock"
"""The daemon's socket, inside the home."""

SOCKET_PATH_BYTES_MAX: Final = 107
"""What sockaddr_un holds on Linux beside its final zero (unix(7))."""
