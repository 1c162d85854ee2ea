"""Load what is new under each source's location into the raw staging tables.

The sources' YAML says where the files of a table lie; the ledger, in the warehouse, says which
of them are loaded. loader/command.py lists the files, has the warehouse tell which are new and
has dbt run the macro that loads them, batch by batch, each in one transaction with its rows of
the ledger. All SQL is in macros/loading/.
"""

if __name__ == "__main__":  # so that processes that join files need not import dbt
    from loader.command import main

    main()
