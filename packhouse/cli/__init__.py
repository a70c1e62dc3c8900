"""The `packhouse` command, one module per room; `packhouse/__main__.py` wires them.

Exit codes, of every command:

    0    done
    1    refused, or something was found wrong; the sentence on standard error says what and how to mend it
    2    the command line itself is wrong
    3    the server or the store cannot be reached now; trying again later is right
    130  interrupted with Ctrl-C
"""
