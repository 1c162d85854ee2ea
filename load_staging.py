"""Load what is new under each source's location into the raw staging tables.

The sources' YAML says where the files of a table lie; the ledger, in the warehouse, says which
of them are loaded. loader/command.py begins. All SQL is in macros/loading/.
"""

if __name__ == "__main__":  # so that processes that join files need not import dbt
    from loader.command import main

    main()
