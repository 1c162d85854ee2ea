"""What the sessions of one cluster share."""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .backend_pool import BackendPool
from .faults import Faults
from .long_names import LongNames
from .statement_log import LoggedStatement
from .system_log import SystemLog


@dataclass
class SharedState:
    """What the sessions of one cluster share.

    error_style: 'provisioned' or 'serverless', see copy_runner. s3: a boto3 client.
    functions: the functions whose types can be derived, by oid.
    """

    backends: BackendPool
    database: str
    region: str
    error_style: str
    s3: Any
    log: SystemLog
    faults: Faults
    statements: list[LoggedStatement]
    names: LongNames
    functions: dict[str, str]
    threads: ThreadPoolExecutor
    on_statement: Callable[[LoggedStatement], None] | None = None
    tls: ssl.SSLContext | None = None

    async def in_thread(self, function: Callable, *arguments: object) -> Any:
        """Call a function that blocks."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, function, *arguments)
