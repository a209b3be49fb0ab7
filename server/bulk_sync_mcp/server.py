"""The MCP server: lists the tools, hands every call to the pipeline, and asks where consent is needed.

Both protocol revisions are served. In 2025-11-25 a form is a request from server to client in the middle of a
call; in 2026-07-28 it is the call's own answer, and the client calls again with what the person said.
"""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from bulk_sync_mcp.core.context import FormAnswer, Question
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.operation import AnyOperation, Registry
from bulk_sync_mcp.core.pipeline import Pipeline
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.guiding import Guiding
from bulk_sync_mcp.present.content import failure_text, structured, text
from bulk_sync_mcp.present.hints import EVERY_TOOL_ON, Hints

logger = logging.getLogger(__name__)

RequestContext = ServerRequestContext[Any, Any]
_FORM = "confirm"
_PAGE = "approve"
_DAY_MS = 86_400_000
_FIXED: tuple[CacheableMethod, ...] = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
"""Lists that stay as they are while the server runs."""


class AnotherRound(Exception):
    """The call has to be answered with a question (2026-07-28); the client calls again with the answer."""

    def __init__(self, question: Question) -> None:
        super().__init__("another round")
        self.question = question


@dataclass(frozen=True)
class McpCaller:
    """Who calls over MCP, and how they can be asked."""

    request: RequestContext
    principal: str
    answered: FormAnswer | None = None
    _modern: bool = field(default=False)

    @property
    def can_ask(self) -> bool:
        """Whether the client declared forms, and, on a 2025-11-25 connection, can be sent a request now."""
        capabilities = self.request.session.client_capabilities
        asks = capabilities.elicitation if capabilities else None
        forms = asks is not None and (asks.form is not None or asks.url is None)
        return forms and (self._modern or self.request.session.can_send_request)

    @property
    def can_open(self) -> bool:
        """Whether the client declared that it can have the user open an address."""
        capabilities = self.request.session.client_capabilities
        opens = (
            capabilities is not None
            and capabilities.elicitation is not None
            and capabilities.elicitation.url is not None
        )
        return opens and (self._modern or self.request.session.can_send_request)

    async def ask(self, question: Question) -> FormAnswer:
        """The answer to a form. Raises `AnotherRound` on 2026-07-28; a client that fails to ask counts as a cancel."""
        if self._modern:
            raise AnotherRound(question)
        try:
            if question.url is not None:
                opened = await self.request.session.elicit_url(
                    question.message, question.url, question.approval, related_request_id=self.request.request_id
                )
                return FormAnswer(opened.action, {}, question.approval, page=True)
            answer = await self.request.session.elicit_form(
                question.message, dict(question.schema), related_request_id=self.request.request_id
            )
        except (MCPError, ValidationError) as error:
            logger.warning("the client could not show a form: %s", type(error).__name__)
            return FormAnswer("cancel", {}, question.approval, page=question.url is not None)
        return FormAnswer(answer.action, answer.content or {}, question.approval)


@dataclass(frozen=True)
class Principals:
    """Names the caller of a request. `fixed` on stdio; over HTTP the transport's middleware has named it."""

    fixed: str

    def of(self, request: RequestContext) -> str:
        """The principal, to which confirmations are bound."""
        http = request.request
        return str(http.scope.get("bulk_sync_mcp.principal", self.fixed)) if http is not None else self.fixed


def tool_of(operation: AnyOperation) -> types.Tool:
    """The tool as clients see it, derived from the declaration."""
    return types.Tool(
        name=operation.name,
        title=operation.title,
        description=operation.description,
        input_schema=operation.input_schema,
        output_schema=operation.output_schema,
        annotations=types.ToolAnnotations(
            title=operation.title,
            read_only_hint=operation.read_only,
            destructive_hint=operation.destructive,
            idempotent_hint=operation.read_only or operation.idempotent,
            open_world_hint=True,
        ),
    )


@dataclass(frozen=True)
class Identity:
    """What the server says of itself."""

    title: str
    version: str
    instructions: str


def build_server(
    registry: Registry,
    pipeline: Pipeline,
    identity: Identity,
    principals: Principals,
    hints: Hints = EVERY_TOOL_ON,
    guiding: Guiding | None = None,
) -> Server[Any]:
    """The MCP server for these operations. Its lifespan does nothing: clients start servers just to list tools.

    `hints` knows the tools that are not on, of which descriptions and next steps may speak. `guiding` None: there
    are no prompts, resources and completions.
    """
    tools = [
        tool_of(operation).model_copy(update={"description": hints.told(operation.description)})
        for operation in registry
    ]

    async def list_tools(
        _request: RequestContext, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(
        request: RequestContext, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        operation = registry.get(params.name)
        if operation is None:
            why = hints.off.get(params.name)
            known = f"Tool {params.name} is switched off on this server: {why}." if why else None
            raise MCPError(types.INVALID_PARAMS, known or f"Unknown tool: {clean(params.name)}")
        modern = request.protocol_version in MODERN_PROTOCOL_VERSIONS
        caller = McpCaller(request, principals.of(request), _answer(params), modern)
        context = replace(pipeline.context, report=request.session.report_progress)
        try:
            done = await pipeline.call(operation, params.arguments or {}, caller, context)
        except AnotherRound as round_:
            return _question(round_.question)
        except Failure as failure:
            return _failed(failure, hints)
        except Exception:
            logger.exception("call of %s failed", operation.name)
            return _failed(Failure("internal", "A fault in this server, told in its log.", changed="unknown"), hints)
        content = hints.in_result(structured(done))
        return types.CallToolResult(
            content=[types.TextContent(text=text(content))], structured_content=content, is_error=False
        )

    return Server(
        "bulk-sync-mcp",
        version=identity.version,
        title=identity.title,
        description="Operates Polytomic bulk syncs, with guards around everything that loses data.",
        instructions=identity.instructions,
        cache_hints=dict.fromkeys(_FIXED, CacheHint(ttl_ms=_DAY_MS, scope="private")),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=guiding and guiding.list_prompts,
        on_get_prompt=guiding and guiding.get_prompt,
        on_list_resources=guiding and guiding.list_resources,
        on_list_resource_templates=guiding and guiding.list_templates,
        on_read_resource=guiding and guiding.read_resource,
        on_completion=guiding and guiding.complete,
    )


def _answer(params: types.CallToolRequestParams) -> FormAnswer | None:
    """The answer of a second round; None without state, so that an answer nobody asked for is asked anew."""
    answers = params.input_responses or {}
    given = answers.get(_FORM) or answers.get(_PAGE)
    if params.request_state is None or given is None:
        return None
    page = _FORM not in answers
    if not isinstance(given, types.ElicitResult):
        return FormAnswer("cancel", {}, params.request_state, page)
    return FormAnswer(given.action, given.content or {}, params.request_state, page)


def _question(question: Question) -> types.InputRequiredResult:
    if question.url is not None:
        page = types.ElicitRequestURLParams(
            message=question.message, url=question.url, elicitation_id=question.approval
        )
        return types.InputRequiredResult(
            input_requests={_PAGE: types.ElicitRequest(params=page)}, request_state=question.approval
        )
    form = types.ElicitRequestFormParams(message=question.message, requested_schema=dict(question.schema))
    return types.InputRequiredResult(
        input_requests={_FORM: types.ElicitRequest(params=form)}, request_state=question.approval
    )


def _failed(failure: Failure, hints: Hints) -> types.CallToolResult:
    """Text only: strict clients reject an error whose structured content does not fit the output schema."""
    return types.CallToolResult(content=[types.TextContent(text=failure_text(failure, hints))], is_error=True)
