"""Load the files that are new at each source's location into the raw tables.

The sources' YAML says where the files of a table lie, the ledger in the warehouse which of them
are loaded. Start reading at loader/command.py; all SQL is in macros/loading/.
"""

import sys

if __name__ == "__main__":  # processes that join files import this module too, but not dbt
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        sys.exit("Error: this needs Python 3.11, 3.12 or 3.13, not " + sys.version.split()[0])
    try:
        from loader.command import main
    except ModuleNotFoundError as error:
        sys.exit("Error: " + str(error) + ". Run `make run`, or first: source .venv/bin/activate")
    main()
