"""Spare `fivetran debug` a look-up on the internet: run this once, in the environment.

The command line checks with pipreqs that imports are declared. pipreqs (1.1.2 of Fivetran's) takes
requests to be a package named Requests, finds none of that name in the environment, and asks
pypi.python.org. Where that cannot be reached, each run prints a traceback of 60 lines and waits 13
seconds. This adds the name to the list of what requests installs, where pipreqs looks first.
"""

from importlib.metadata import files


def main():
    (names,) = [file.locate() for file in files("requests") if file.name == "top_level.txt"]
    if "Requests" not in names.read_text().split():
        names.write_text("requests\nRequests\n")


if __name__ == "__main__":
    main()
