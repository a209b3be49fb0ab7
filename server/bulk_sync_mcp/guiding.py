"""Prompts, resources and completions over MCP: what helps a person and a model besides the tools.

None of it changes anything, and none of it tells more than tools that are on. What answers is imported when it is
first asked for, so that a client which only lists tools pays nothing for it.
"""

import logging
import sqlite3
from typing import TYPE_CHECKING, Any, NoReturn

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.text import MAX_MESSAGE, clean

if TYPE_CHECKING:
    from bulk_sync_mcp.completions import Completions
    from bulk_sync_mcp.composition import Application

logger = logging.getLogger(__name__)

RequestContext = ServerRequestContext[Any, Any]
LEGACY_NOT_FOUND = -32002
"""Of a resource, in revisions before 2026-07-28, which has -32602."""


class NoSuchResource(Exception):
    """There is no such resource, or nothing to show for it."""


class Guiding:
    """The handlers of prompts, resources and completions of one application."""

    def __init__(self, application: "Application") -> None:
        self._application = application
        self._completions: Completions | None = None

    async def list_prompts(
        self, _request: RequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        from bulk_sync_mcp import prompts

        listed = [
            types.Prompt(
                name=one.name,
                title=one.title,
                description=one.description,
                arguments=[
                    types.PromptArgument(name=name, description=text, required=name in one.required)
                    for name, text in one.arguments.items()
                ],
            )
            for one in prompts.available(self._application.registry)
        ]
        return types.ListPromptsResult(prompts=listed)

    async def get_prompt(self, _request: RequestContext, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        from bulk_sync_mcp import prompts

        known = {one.name: one for one in prompts.available(self._application.registry)}
        prompt = known.get(params.name)
        if prompt is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {clean(params.name)}")
        given = {name: value for name, value in (params.arguments or {}).items() if value.strip()}
        wrong = [f"no argument {clean(name)}" for name in given if name not in prompt.arguments]
        wrong += [f"{name} is required" for name in prompt.required if name not in given]
        if wrong:
            raise MCPError(types.INVALID_PARAMS, f"Prompt {prompt.name}: {', '.join(wrong)}")
        text = types.TextContent(text=prompt.told(given, self._application.registry))
        return types.GetPromptResult(
            description=prompt.description, messages=[types.PromptMessage(role="user", content=text)]
        )

    async def list_resources(
        self, _request: RequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        from bulk_sync_mcp import resources

        listed = [
            types.Resource(
                uri=one.uri, name=one.name, title=one.title, description=one.description, mime_type=one.mime_type
            )
            for one in resources.FIXED
        ]
        return types.ListResourcesResult(resources=listed)

    async def list_templates(
        self, _request: RequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        from bulk_sync_mcp import resources

        listed = [
            types.ResourceTemplate(
                uri_template=one.uri,
                name=one.name,
                title=one.title,
                description=one.description,
                mime_type=one.mime_type,
            )
            for one in resources.templates(self._application.registry)
        ]
        return types.ListResourceTemplatesResult(resource_templates=listed)

    async def read_resource(
        self, request: RequestContext, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        from bulk_sync_mcp import resources

        modern = request.protocol_version in MODERN_PROTOCOL_VERSIONS
        try:
            found = await resources.read(self._application, params.uri)
        except NoSuchResource as error:
            code = types.INVALID_PARAMS if modern else LEGACY_NOT_FOUND
            raise MCPError(code, f"Resource not found: {error}", {"uri": params.uri}) from None
        except (Failure, OSError, sqlite3.Error) as error:
            self._failed(error)
        content = types.TextResourceContents(uri=params.uri, mime_type=found.mime_type, text=found.text)
        return types.ReadResourceResult(contents=[content], ttl_ms=found.ttl_ms, cache_scope="private")

    def _failed(self, error: Exception) -> NoReturn:
        from bulk_sync_mcp.present.content import failure_text

        if isinstance(error, Failure):
            raise MCPError(types.INTERNAL_ERROR, failure_text(error, self._application.hints)) from None
        logger.warning("a resource could not be read: %s", error)
        raise MCPError(
            types.INTERNAL_ERROR, f"internal: the server's own files cannot be read ({clean(error, MAX_MESSAGE)})."
        ) from None

    async def complete(self, _request: RequestContext, params: types.CompleteRequestParams) -> types.CompleteResult:
        from bulk_sync_mcp.completions import Completions

        if self._completions is None:
            self._completions = Completions(self._application)
        ref = params.ref
        kind, name = ("prompt", ref.name) if isinstance(ref, types.PromptReference) else ("template", ref.uri)
        given = (params.context.arguments if params.context else None) or {}
        found = await self._completions.of(kind, name, params.argument.name, params.argument.value, given)
        if found is None:
            raise MCPError(types.INVALID_PARAMS, f"Nothing to complete: {clean(name)}, {clean(params.argument.name)}")
        return types.CompleteResult(
            completion=types.Completion(values=found.values, total=found.total, has_more=found.more)
        )
