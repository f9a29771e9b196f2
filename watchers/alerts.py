"""How alerts reach people: one line on stderr each, and the operator's command."""

import asyncio
import logging
import shlex

import orjson

from tracer.notices import Notice

log = logging.getLogger("tracerd.alert")

COMMAND_S = 30.0
"""An alert command that runs longer is ended."""

LEVELS = {"INFO": logging.INFO, "WARN": logging.WARNING, "HIGH": logging.ERROR, "CRITICAL": logging.CRITICAL}


class Alerts:
    """Tells alerts; owns the tasks that run the operator's command. `close` waits for them."""

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, chain: str, notice: Notice) -> None:
        """Write an alert that is already stored to the log, and start the command with it as JSON on stdin."""
        log.log(
            LEVELS[notice.severity],
            "ALERT rule=%s severity=%s chain=%s %s",
            notice.rule,
            notice.severity,
            chain,
            notice.message,
        )
        if self._command:
            task = asyncio.get_running_loop().create_task(self._run(chain, notice))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, chain: str, notice: Notice) -> None:
        body = orjson.dumps(
            {"rule": notice.rule, "severity": notice.severity, "chain": chain, "message": notice.message}
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            log.error("the alert command %s cannot be started: %s", self._command[0], error.strerror)
            return
        try:
            async with asyncio.timeout(COMMAND_S):
                await process.communicate(body)
        except TimeoutError:
            process.kill()
            await process.wait()
            log.error("the alert command %s ran longer than %d s and was ended", self._command[0], COMMAND_S)
            return
        if process.returncode:
            log.error("the alert command %s ended with exit code %d", self._command[0], process.returncode)

    async def close(self) -> None:
        """Wait for commands that still run."""
        await asyncio.gather(*self._tasks)
