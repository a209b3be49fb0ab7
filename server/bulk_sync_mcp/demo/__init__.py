"""`bulk-sync-mcp demo`: the whole story through a real MCP client, with proof read from the destination itself.

options.py   what is asked for, and what is refused
story.py     the order of the steps and the verdict; loading.py and guarding.py hold the steps
stage.py     workspace, connections, clearing up
session.py   an MCP client with a server process of its own
sample.py    the generated source        places.py, copies.py   a source or destination of the user's own
tables.py    tables read and written with each format's own library, never through the engine
values.py, proof.py   what is compared, and how       changes.py   rows changed by hand
screen.py, bars.py    output
"""
