"""Becomes a server: run as a script, it takes on a user, ties its life to its parent's, runs the program.

Arguments: the parent's process id, a user name (empty: stay who we are), the signal to get when the parent
ends, the program and its arguments. Standard library only, since it runs without any site-packages.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, user, death_signal, *command = sys.argv[1:]
    libc = ctypes.CDLL(None)
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":  # after the change of user, which would undo it
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            return  # it has ended already
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
