"""The running Datasette: the live ledger, read-only, on loopback.

Shell. Only imported where Datasette is installed (the extra `serve`).
"""

from pathlib import Path
from typing import Final

import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm
from starlette.middleware.trustedhost import TrustedHostMiddleware

from incentives.serve import charts_plugin
from incentives.serve.questions import DATABASE, metadata

_SETTINGS: Final = {
    "sql_time_limit_ms": 5_000,
    "max_returned_rows": 10_000,
    "default_page_size": 100,
    "allow_download": False,
    "allow_facet": True,
}


def build(ledger: Path, program: str) -> Datasette:
    """Return Datasette over a ledger.

    Args:
        ledger: the live file, opened read-only and never as immutable: it grows meanwhile.
        program: its address, to be shown.
    """
    if not pm.is_registered(charts_plugin):
        pm.register(charts_plugin)
    datasette = Datasette(metadata=metadata(program), settings=_SETTINGS)
    datasette.remove_database("_memory")
    datasette.add_database(Database(datasette, path=str(ledger), is_mutable=True), name=DATABASE)
    return datasette


def serve(ledger: Path, program: str, *, host: str, port: int) -> None:
    """Serve until interrupted, and to who asks for this machine by its own name.

    A page of a stranger whose name was made to point at 127.0.0.1 after it was loaded would otherwise read the whole
    ledger through its reader's browser.
    """
    application = TrustedHostMiddleware(
        build(ledger, program).app(), allowed_hosts=[host, "localhost"], www_redirect=False
    )
    uvicorn.run(application, host=host, port=port, log_level="warning", lifespan="on", workers=1)
